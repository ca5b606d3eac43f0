import { useEffect, useRef, useState } from "react";
import { Pencil, Trash2 } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { Virtualizer } from "virtua";
import { useRead } from "../../api/queries";
import type { ChatView } from "../../api/bindings";
import { Icon, Lucide } from "../../components/Icon";
import { When } from "../../components/Time";
import { plural } from "../../lib/format";
import { go, hrefOf } from "../../lib/router";
import { useUi } from "../../lib/store";
import { testids } from "../../lib/testids";

const SEARCH_WAIT_MS = 150;

export function ChatList({ current, searchRef }: { current: string | null; searchRef: React.RefObject<HTMLInputElement | null> }) {
  const [search, setSearch] = useState("");
  const [query, setQuery] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setQuery(search.trim()), SEARCH_WAIT_MS);
    return () => clearTimeout(timer);
  }, [search]);
  const { data: chats, error } = useRead("chats.list", query === "" ? {} : { query });
  const total = useRead("chats.list", {}).data?.length ?? 0;
  const scroller = useRef<HTMLDivElement>(null);
  const setOpen = useUi((s) => s.setChatListOpen);
  const newChat = () => {
    setOpen(false);
    go("chat");
  };
  return (
    <>
      <div className="top">
        <label className="field">
          <Icon name="search" small />
          <input ref={searchRef} type="search" value={search} onChange={(e) => setSearch(e.target.value)} placeholder={total > 0 ? `Search ${plural(total, "chat")}` : "Search chats"} aria-label="Search chats" data-testid={testids.chatSearch} />
        </label>
        <button type="button" className="btn icon" title="New chat, Ctrl N" aria-label="New chat" data-testid={testids.newChat} onClick={newChat}>
          <Icon name="plus" />
        </button>
      </div>
      {error && <p className="list-note">{error.message}</p>}
      {chats?.length === 0 && <p className="list-note">{query === "" ? "No chats yet. Write below to start one." : "No chat contains that."}</p>}
      <div className="list-scroll" ref={scroller}>
        <Virtualizer scrollRef={scroller} data={chats ?? []} itemSize={28} as="ul" item="li">
          {(chat: ChatView) => <Row key={chat.id} chat={chat} on={chat.id === current} />}
        </Virtualizer>
      </div>
    </>
  );
}

function Row({ chat, on }: { chat: ChatView; on: boolean }) {
  const show = useUi((s) => s.show);
  const setOpen = useUi((s) => s.setChatListOpen);
  const title = chat.title || "New chat";
  const hasDraft = !on && "draft" in chat && Boolean(chat.draft);
  return (
    <div className={on ? "c on" : "c"} data-testid={testids.chatRow} data-chat={chat.id}>
      <a href={hrefOf("chat", chat.id)} aria-current={on ? "page" : undefined} title={title} onClick={() => setOpen(false)}>
        {chat.is_streaming && <i className="run" role="img" aria-label="answer running" />}
        <span className="cut">{title}</span>
        {hasDraft && <span className="draft">Draft</span>}
        <When at={Number(chat.updated_at)} />
      </a>
      <DropdownMenu.Root>
        <DropdownMenu.Trigger className="btn quiet icon small more" aria-label={`More for ${title}`}>
          <span aria-hidden="true">⋯</span>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="pop menu" align="start" sideOffset={2}>
            <DropdownMenu.Item className="item" onSelect={() => show({ kind: "rename", chatId: chat.id, title })}>
              <Lucide of={Pencil} small />
              Rename
            </DropdownMenu.Item>
            <DropdownMenu.Item className="item" onSelect={() => show({ kind: "delete", chatId: chat.id, title })}>
              <Lucide of={Trash2} small />
              Delete
            </DropdownMenu.Item>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
    </div>
  );
}
