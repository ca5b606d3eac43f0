import type { MessageView } from "../../api/bindings";

/** Which child was chosen under a parent; the root's key is the empty string. */
export type Selection = Readonly<Record<string, string>>;

export interface PathNode {
  message: MessageView;
  /** Ids of all versions, oldest first, this one among them. */
  siblings: string[];
  index: number;
}

const keyOf = (parentId: string | null): string => parentId ?? "";

/**
 * The conversation as it is read: from the root down, at each fork the chosen version, or the
 * newest where none was chosen. Nothing in the tree is ever overwritten.
 */
export function pathOf(messages: readonly MessageView[], selection: Selection): PathNode[] {
  const children = childrenOf(messages);
  const path: PathNode[] = [];
  const seen = new Set<string>();
  let parent: string | null = null;
  for (;;) {
    const siblings: MessageView[] = children.get(keyOf(parent)) ?? [];
    const newest = siblings.at(-1);
    if (!newest) return path;
    const message: MessageView = siblings.find((m) => m.id === selection[keyOf(parent)]) ?? newest;
    // A cycle cannot come from the core, but a page must not hang on bad data.
    if (seen.has(message.id)) return path;
    seen.add(message.id);
    path.push({ message, siblings: siblings.map((m) => m.id), index: siblings.indexOf(message) });
    parent = message.id;
  }
}

function childrenOf(messages: readonly MessageView[]): Map<string, MessageView[]> {
  const known = new Set(messages.map((m) => m.id));
  const children = new Map<string, MessageView[]>();
  for (const message of messages) {
    const key = keyOf(message.parent_id !== null && known.has(message.parent_id) ? message.parent_id : null);
    const list = children.get(key);
    if (list) list.push(message);
    else children.set(key, [message]);
  }
  for (const list of children.values()) list.sort((a, b) => Number(a.created_at) - Number(b.created_at) || (a.id < b.id ? -1 : 1));
  return children;
}

/** The selection with `message` chosen under its parent. */
export function choose(selection: Selection, message: { id: string; parent_id: string | null }): Selection {
  return { ...selection, [keyOf(message.parent_id)]: message.id };
}

/** What all answers of a chat cost, and how many have no known cost. Abandoned versions were paid for too. */
export function chatCost(messages: readonly MessageView[]): { picousd: number; unknown: number; priced: number } {
  let picousd = 0;
  let unknown = 0;
  let priced = 0;
  for (const { receipt } of messages) {
    if (!receipt) continue;
    if (receipt.cost_picousd === null) unknown += 1;
    else {
      picousd += Number(receipt.cost_picousd);
      priced += 1;
    }
  }
  return { picousd, unknown, priced };
}
