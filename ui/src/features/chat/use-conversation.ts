import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { ChatTreeView, MessageView } from "../../api/bindings";
import { queryClient, refresh, useRead } from "../../api/queries";
import { useUi } from "../../lib/store";
import { follow, forget } from "./streams";
import { choose, pathOf, type Selection } from "./tree";

/** One chat: its messages, the versions chosen, and the answers that are being written. */
export function useConversation(chatId: string | null) {
  const query = useRead("chats.get", { id: chatId ?? "" }, { enabled: chatId !== null });
  const messages = useMemo(() => query.data?.messages ?? [], [query.data]);
  const [selection, setSelection] = useState<Selection>({});
  const path = useMemo(() => pathOf(messages, selection), [messages, selection]);
  useFollowed(chatId, messages);
  const select = useCallback((message: { id: string; parent_id: string | null }) => setSelection((s) => choose(s, message)), []);
  const running = useMemo(() => messages.filter((m) => m.state === "streaming"), [messages]);
  return { query, chat: query.data?.chat ?? null, messages, path, select, running };
}

/** Watches every answer of this chat that is being written, for as long as the chat is open. */
function useFollowed(chatId: string | null, messages: readonly MessageView[]): void {
  const ids = messages.filter((m) => m.state === "streaming").map((m) => m.id).join(" ");
  useEffect(() => {
    if (chatId === null || ids === "") return;
    const stops = ids.split(" ").map((id) =>
      follow(id, (final) => {
        if (final) putMessage(chatId, final);
        void refresh("chats.get", "chats.list", "app.status").then(() => forget(id));
      }),
    );
    return () => {
      for (const stop of stops) stop();
    };
  }, [chatId, ids]);
}

function putMessage(chatId: string, message: MessageView): void {
  queryClient.setQueryData<ChatTreeView>(["chats.get", { id: chatId }], (tree) => tree && { ...tree, messages: tree.messages.map((m) => (m.id === message.id ? message : m)) });
}

interface SendRequest {
  chatId: string | null;
  parentId: string | null;
  text: string;
  model: string;
}

/** Sending, stopping and regenerating, with the last refusal as a sentence. */
export function useChatActions(onCreated: (chatId: string) => void) {
  const [error, setError] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const pickModel = useUi((s) => s.pick);
  const onCreatedRef = useRef(onCreated);
  onCreatedRef.current = onCreated;

  const run = useCallback(async <T>(work: () => Promise<T>): Promise<T | null> => {
    setError(null);
    try {
      return await work();
    } catch (failure) {
      setError(ControlError.from(failure).message);
      return null;
    }
  }, []);

  const send = useCallback(
    async ({ chatId, parentId, text, model }: SendRequest) => {
      setSending(true);
      const sent = await run(async () => {
        const id = chatId ?? (await backend().call("chats.create", { model })).id;
        if (chatId === null) pickModel(id, model);
        const result = await backend().call("chat.send", { chat_id: id, parent_id: parentId, text, model });
        await refresh("chats.get", "chats.list");
        if (chatId === null) onCreatedRef.current(id);
        return result;
      });
      setSending(false);
      return sent;
    },
    [run, pickModel],
  );

  const stop = useCallback((messageId: string) => run(() => backend().call("chat.stop", { message_id: messageId })), [run]);

  const regenerate = useCallback(
    (messageId: string, model: string | null) =>
      run(async () => {
        const result = await backend().call("chat.regenerate", { message_id: messageId, ...(model ? { model } : {}) });
        await refresh("chats.get", "chats.list");
        return result;
      }),
    [run],
  );

  return { send, stop, regenerate, error, sending, clearError: useCallback(() => setError(null), []) };
}
