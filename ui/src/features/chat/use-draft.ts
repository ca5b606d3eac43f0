import { useCallback, useEffect, useRef, useState } from "react";
import { backend } from "../../api";
import { queryClient } from "../../api/queries";

const SAVE_AFTER_MS = 600;

/** The chat that does not exist yet has its draft here, for as long as the window is open. */
let newChatDraft = "";

/**
 * The text in the composer of one chat. It is saved a moment after the last key press, on
 * blur, and when the chat is left, so that neither a crash nor another chat loses it.
 */
export function useDraft(chatId: string | null, stored: string | undefined) {
  const initial = chatId === null ? newChatDraft : (stored ?? "");
  const [text, setText] = useState(initial);
  const latest = useRef({ chatId, text: initial, saved: stored ?? "" });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const touched = useRef(false);

  const save = useCallback(() => {
    clearTimeout(timer.current);
    const { chatId: id, text: now, saved } = latest.current;
    if (id === null || now === saved) return;
    latest.current.saved = now;
    backend()
      .call("chats.set_draft", { id, text: now })
      .catch(() => {
        latest.current.saved = saved;
      });
  }, []);

  // The stored draft arrives after the chat does; what was typed meanwhile wins.
  useEffect(() => {
    if (stored === undefined || touched.current) return;
    latest.current.saved = stored;
    latest.current.text = stored;
    setText(stored);
  }, [stored]);

  useEffect(() => () => {
    save();
    void queryClient.invalidateQueries({ queryKey: ["chats.list"] });
  }, [save]);

  const change = useCallback((next: string) => {
    touched.current = true;
    latest.current.text = next;
    setText(next);
    if (latest.current.chatId === null) newChatDraft = next;
    clearTimeout(timer.current);
    timer.current = setTimeout(save, SAVE_AFTER_MS);
  }, [save]);

  return { text, change, save };
}
