import { useSyncExternalStore } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { MessageView, WatchItem } from "../../api/bindings";
import { applyItem, EMPTY_STREAM, type StreamState } from "./stream";

const RETRY_MS = [100, 400, 1000, 2000];
const MAX_TRIES = 30;

interface Entry {
  state: StreamState;
  listeners: Set<() => void>;
  stop: (() => void) | null;
  retry: ReturnType<typeof setTimeout> | undefined;
  tries: number;
}

const entries = new Map<string, Entry>();

function entryOf(messageId: string): Entry {
  let entry = entries.get(messageId);
  if (!entry) {
    entry = { state: EMPTY_STREAM, listeners: new Set(), stop: null, retry: undefined, tries: 0 };
    entries.set(messageId, entry);
  }
  return entry;
}

/**
 * Follows an answer that the core is writing. The core owns the answer: letting go of it here
 * loses nothing, and coming back starts with what there is by then.
 * `onSettled` is told once, with the final message where the core sent it.
 */
export function follow(messageId: string, onSettled: (message: MessageView | null) => void): () => void {
  const entry = entryOf(messageId);
  let on = true;
  const settle = (message: MessageView | null) => {
    if (!on) return;
    on = false;
    stop();
    onSettled(message);
  };
  const watchAgain = (error: ControlError) => {
    if (!on) return;
    entry.stop?.();
    // A refusal is an answer: what the core knows of the message is in the chat. Only a lost
    // connection is tried again.
    const isLost = error.kind === "unreachable" || error.kind === "disconnected";
    if (!isLost || entry.tries >= MAX_TRIES) return settle(null);
    const wait = RETRY_MS[Math.min(entry.tries, RETRY_MS.length - 1)] ?? 2000;
    entry.tries += 1;
    entry.retry = setTimeout(start, wait);
  };
  const onItem = (item: WatchItem) => {
    const step = applyItem(entry.state, item);
    if (step.gap) {
      // What is known may be wrong from here on, so the next watch asks for all of it.
      entry.state = { ...entry.state, seq: 0 };
      entry.stop?.();
      start();
      return;
    }
    entry.tries = 0;
    if (step.state !== entry.state) {
      entry.state = step.state;
      for (const listener of entry.listeners) listener();
    }
    if (item.kind === "end") settle(item.message ?? null);
  };
  const start = () => {
    if (on) entry.stop = backend().watch(messageId, entry.state.seq, onItem, watchAgain);
  };
  const stop = () => {
    clearTimeout(entry.retry);
    entry.stop?.();
    entry.stop = null;
  };
  start();
  return () => {
    on = false;
    stop();
  };
}

export function useStream(messageId: string): StreamState {
  return useSyncExternalStore(
    (listener) => {
      const entry = entryOf(messageId);
      entry.listeners.add(listener);
      return () => entry.listeners.delete(listener);
    },
    () => entries.get(messageId)?.state ?? EMPTY_STREAM,
  );
}

/** Drops what was streamed once the settled message is in the chat. */
export function forget(messageId: string): void {
  const entry = entries.get(messageId);
  if (entry && entry.listeners.size === 0) entries.delete(messageId);
}
