/**
 * Actions that a part of a screen carries out: the palette and the keys name them, and the
 * part that is on the screen answers.
 */
export type PartAction = "stop" | "regenerate" | "pick-model" | "search-chats" | "previous-version" | "next-version" | "toggle-table" | "toggle-live" | "search-requests";

const handlers = new Map<PartAction, Set<() => void>>();

export function onAction(action: PartAction, run: () => void): () => void {
  const set = handlers.get(action) ?? new Set();
  handlers.set(action, set);
  set.add(run);
  return () => set.delete(run);
}

/** Whether anything on the screen would answer. */
export const isHandled = (action: PartAction): boolean => (handlers.get(action)?.size ?? 0) > 0;

export function perform(action: PartAction): void {
  for (const run of handlers.get(action) ?? []) run();
}
