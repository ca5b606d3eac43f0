import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useModels, useProviders, useRead } from "../api/queries";
import type { MessageView } from "../api/bindings";
import { onAction } from "../actions/bus";
import { Icon } from "../components/Icon";
import { FirstStart } from "../features/first-start/FirstStart";
import { ChatList } from "../features/chat/ChatList";
import { Composer } from "../features/chat/Composer";
import { isRehearsalModel, modelFor } from "../features/chat/model-choice";
import type { MessageActions } from "../features/chat/Message";
import { Thread } from "../features/chat/Thread";
import { chatCost, type PathNode } from "../features/chat/tree";
import { useChatActions, useConversation } from "../features/chat/use-conversation";
import { useDraft } from "../features/chat/use-draft";
import { moneyRequest, plural } from "../lib/format";
import { go } from "../lib/router";
import { useUi } from "../lib/store";
import { testids } from "../lib/testids";

export function ChatScreen({ chatId }: { chatId: string | null }) {
  const searchRef = useRef<HTMLInputElement>(null);
  const listOpen = useUi((s) => s.chatListOpen);
  const setListOpen = useUi((s) => s.setChatListOpen);
  useEffect(() => onAction("search-chats", () => {
    setListOpen(true);
    requestAnimationFrame(() => searchRef.current?.focus());
  }), [setListOpen]);
  useClosedByEscape(listOpen, setListOpen);
  return (
    <div className="cols">
      <aside className={listOpen ? "pane list open" : "pane list"} aria-label="Chats">
        <ChatList current={chatId} searchRef={searchRef} />
      </aside>
      {listOpen && <button type="button" className="list-scrim narrow" aria-label="Close the list of chats" onClick={() => setListOpen(false)} />}
      {/* A chat keeps nothing of another: drafts, versions and scroll start anew with the key. */}
      <Conversation key={chatId ?? "new"} chatId={chatId} />
    </div>
  );
}

/** The list over a narrow window closes with Esc, and with the screen. */
function useClosedByEscape(isOpen: boolean, setOpen: (open: boolean) => void): void {
  useEffect(() => {
    if (!isOpen) return;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      // Esc would otherwise also stop the answer behind the list.
      event.preventDefault();
      setOpen(false);
    };
    window.addEventListener("keydown", onKeyDown, { capture: true });
    return () => window.removeEventListener("keydown", onKeyDown, { capture: true });
  }, [isOpen, setOpen]);
  useEffect(() => () => setOpen(false), [setOpen]);
}

function Conversation({ chatId }: { chatId: string | null }) {
  const { query, chat, messages, path, select, running } = useConversation(chatId);
  const [pickerOpen, setPickerOpen] = useState(false);
  const [editing, setEditing] = useState<MessageView | null>(null);
  const draft = useDraft(chatId, chat?.draft);
  const show = useUi((s) => s.show);
  const { data: models = [], isSuccess: modelsKnown } = useModels();
  const picked = useUi((s) => s.picked[chatId ?? "new"]);
  const pick = useUi((s) => s.pick);
  const lastModel = useUi((s) => s.lastModel);
  const model = useMemo(() => modelFor(models, [picked, chat?.model, lastModel]), [models, picked, chat?.model, lastModel]);
  const actions = useChatActions(useCallback((id: string) => go("chat", id), []));
  const busy = actions.sending || running.length > 0;

  const send = async (text: string) => {
    if (model === null || text.trim() === "" || busy) return;
    const parentId = editing ? editing.parent_id : (path.at(-1)?.message.id ?? null);
    draft.change("");
    const sent = await actions.send({ chatId, parentId, text, model: model.id });
    if (sent === null) return draft.change(text);
    draft.save();
    if (editing) select({ id: sent.user_message_id, parent_id: editing.parent_id });
    setEditing(null);
  };

  const { stop, regenerate } = actions;
  const stopAll = useCallback(() => {
    for (const message of running) void stop(message.id);
  }, [running, stop]);
  useEffect(() => onAction("stop", stopAll), [stopAll]);
  useEffect(() => onAction("pick-model", () => setPickerOpen(true)), []);

  const changeDraft = draft.change;
  const messageActions: MessageActions = useMemo(
    () => ({
      stop: (message) => void stop(message.id),
      regenerate: (message) => void regenerate(message.id, model?.id ?? null).then((made) => made && select({ id: made.message_id, parent_id: message.parent_id })),
      edit: (message) => {
        setEditing(message);
        changeDraft(message.text);
      },
      choose: (id) => {
        const message = messages.find((m) => m.id === id);
        if (message) select(message);
      },
      openRequest: (id) => show({ kind: "request", id }),
    }),
    [stop, regenerate, model?.id, select, changeDraft, messages, show],
  );
  useSiblingKeys(path, messageActions);
  useEffect(() => onAction("regenerate", () => {
    const last = path.at(-1)?.message;
    if (last?.role === "assistant" && last.state !== "streaming") messageActions.regenerate(last);
  }), [path, messageActions]);

  const title = chat?.title || (chatId === null ? "New chat" : "Chat");
  const isEmpty = messages.length === 0 && !busy;
  return (
    <section className="pane thread" aria-label="Conversation">
      <ChatBar title={title} messages={messages} isStored={chatId !== null && chat !== null} onRename={() => chatId && show({ kind: "rename", chatId, title })} />
      {query.error ? (
        <p className="screen-error" role="alert">{query.error.message}</p>
      ) : isEmpty ? (
        <EmptyChat
          rehearsing={model !== null && isRehearsalModel(model)}
          onPrompt={(text) => void send(text)}
          onRehearsal={() => {
            const rehearsal = models.find(isRehearsalModel);
            if (rehearsal) pick(chatId ?? "new", rehearsal.id);
          }}
        />
      ) : (
        <Thread path={path} actions={messageActions} />
      )}
      <Composer
        text={draft.text}
        onText={(text) => { actions.clearError(); draft.change(text); }}
        onBlur={draft.save}
        onSend={() => void send(draft.text)}
        blocked={model === null ? (modelsKnown ? "No model is set up. Add a provider in Settings" : "Reading the models") : null}
        busy={busy}
        editing={editing !== null}
        onCancelEdit={() => { setEditing(null); draft.change(""); }}
        error={actions.error}
        model={model}
        onPick={(id) => pick(chatId ?? "new", id)}
        pickerOpen={pickerOpen}
        onPicker={setPickerOpen}
      />
    </section>
  );
}

function EmptyChat({ rehearsing, onPrompt, onRehearsal }: { rehearsing: boolean; onPrompt(text: string): void; onRehearsal(): void }) {
  const { data: providers } = useProviders();
  const { data: chats } = useRead("chats.list", {});
  const { data: clients } = useRead("clients.list", {});
  if (!providers) return <div className="log-wrap" />;
  // A provider whose key is missing can be asked nothing yet.
  const hasProvider = providers.some((p) => !p.is_rehearsal && (p.key_state === "present" || p.key_state === "not_needed"));
  return <FirstStart hasTalked={(chats?.some((c) => Number(c.message_count) > 0)) ?? false} hasProvider={hasProvider} hasClient={(clients?.length ?? 0) > 0} rehearsing={rehearsing} onPrompt={onPrompt} onRehearsal={onRehearsal} />;
}

function ChatBar({ title, messages, isStored, onRename }: { title: string; messages: MessageView[]; isStored: boolean; onRename(): void }) {
  const setListOpen = useUi((s) => s.setChatListOpen);
  const cost = chatCost(messages);
  return (
    <header className="bar">
      <button type="button" className="btn icon quiet narrow" aria-label="Chats" title="Chats" onClick={() => setListOpen(true)}>
        <Icon name="list" />
      </button>
      <h1 className="cut" title={title}>
        {isStored ? <button type="button" className="title-button cut" title={`${title}. Click to rename`} onClick={onRename}>{title}</button> : title}
      </h1>
      {messages.length > 0 && <span className="small t3 num hide-n">{plural(messages.length, "message")}</span>}
      <span className="push small t2 num" data-testid={testids.chatTotal}>
        {cost.priced > 0 && `${moneyRequest(cost.picousd)} so far`}
        {cost.unknown > 0 && `${cost.priced > 0 ? ", " : ""}${cost.unknown} unknown`}
      </span>
    </header>
  );
}

/** Alt with an arrow walks the versions of the last message that has any. */
function useSiblingKeys(path: PathNode[], actions: MessageActions): void {
  useEffect(() => {
    const step = (by: number) => {
      const node = path.findLast((n) => n.siblings.length > 1);
      const id = node?.siblings[node.index + by];
      if (id) actions.choose(id);
    };
    const offs = [onAction("previous-version", () => step(-1)), onAction("next-version", () => step(1))];
    return () => offs.forEach((off) => off());
  }, [path, actions]);
}
