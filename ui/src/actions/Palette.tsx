import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { useProviders, useRead } from "../api/queries";
import { Icon, Lucide } from "../components/Icon";
import { Lamp } from "../components/Lamp";
import { Modal } from "../components/Modal";
import { When } from "../components/Time";
import { go } from "../lib/router";
import { testids } from "../lib/testids";
import { KEY_WORDS } from "../lib/words";
import { type Action, ACTIONS, keysOf, type Shortcut } from "./actions";

const Keys = ({ of }: { of: Shortcut }) => keysOf(of).map((k) => <kbd key={k}>{k}</kbd>);

/** Every action of the window, and the chats and providers to go to. */
export function Palette({ onClose }: { onClose(): void }) {
  const [search, setSearch] = useState("");
  const { data: chats = [] } = useRead("chats.list", {});
  const { data: providers = [] } = useProviders();
  const run = (work: () => void) => () => {
    onClose();
    // After the dialog gave the focus back, so that what the action focuses keeps it.
    setTimeout(work, 0);
  };
  const groups = [...new Set(ACTIONS.map((a) => a.group))];
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className="palette" aria-label="Actions" aria-describedby={undefined} data-testid={testids.palette}>
          <Dialog.Title className="sr-only">Actions</Dialog.Title>
          <Command loop label="Actions">
            <div className="ask">
              <Icon name="search" />
              <Command.Input value={search} onValueChange={setSearch} placeholder="What do you want to do?" aria-label="Search actions" />
              <kbd>Esc</kbd>
            </div>
            <Command.List className="palette-list">
              <Command.Empty className="none">Nothing has that name.</Command.Empty>
              {groups.map((group) => (
                <Command.Group key={group} heading={group}>
                  {ACTIONS.filter((a) => a.group === group && a.id !== "palette" && a.enabled()).map((a) => (
                    <ActionItem key={a.id} action={a} onRun={run(a.run)} />
                  ))}
                </Command.Group>
              ))}
              {providers.length > 0 && (
                <Command.Group heading="Providers">
                  {providers.map((p) => (
                    <Command.Item key={p.id} value={`provider ${p.id} ${p.name}`} className="item" onSelect={run(() => go("settings", "providers"))}>
                      <Lamp state={KEY_WORDS[p.key_state].lamp} />
                      <span className="cut">{p.name}</span>
                      <span className="push">{KEY_WORDS[p.key_state].word}</span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
              {search !== "" && chats.length > 0 && (
                <Command.Group heading="Chats">
                  {chats.slice(0, 200).map((c) => (
                    <Command.Item key={c.id} value={`chat ${c.title} ${c.id}`} className="item" onSelect={run(() => go("chat", c.id))}>
                      <Icon name="chat" />
                      <span className="cut">{c.title || "New chat"}</span>
                      <span className="push"><When at={Number(c.updated_at)} /></span>
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
            </Command.List>
            <div className="foot">
              <span><kbd>↑</kbd> <kbd>↓</kbd> Move</span>
              <span><kbd>Enter</kbd> Run</span>
            </div>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function ActionItem({ action, onRun }: { action: Action; onRun(): void }) {
  const [shortcut] = action.shortcuts;
  return (
    <Command.Item value={`${action.group} ${action.label}`} className="item" onSelect={onRun}>
      <Lucide of={action.icon} />
      <span className="cut">{action.label}</span>
      {shortcut && <span className="push"><Keys of={shortcut} /></span>}
    </Command.Item>
  );
}

const IN_PLACE: { label: string; shortcut: Shortcut }[] = [
  { label: "Send, never while composing", shortcut: { key: "Enter" } },
  { label: "New line", shortcut: { key: "Enter", shift: true } },
];

export function ShortcutList({ onClose }: { onClose(): void }) {
  const rows = [...ACTIONS.flatMap((a) => a.shortcuts.map((shortcut) => ({ label: a.label, shortcut }))), ...IN_PLACE];
  return (
    <Modal title="Keyboard" onClose={onClose}>
      <ul className="keys-list">
        {rows.map(({ label, shortcut }) => (
          <li key={label}>
            <span>{label}</span>
            <span className="push row"><Keys of={shortcut} /></span>
          </li>
        ))}
      </ul>
    </Modal>
  );
}
