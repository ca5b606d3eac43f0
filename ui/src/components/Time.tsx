import { useEffect, useState, useSyncExternalStore } from "react";
import { ago, exactTime, when } from "../lib/format";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** The present, to the half minute: enough for `2 min ago`, and no clock per row. */
export function useNow(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const l of listeners) l();
      }, 30_000);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
          clearInterval(timer);
          timer = undefined;
        }
      };
    },
    () => now,
  );
}

/** Relative, with the exact time on hover. */
export function Ago({ at }: { at: number }) {
  useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={exactTime(at)}>
      {ago(at, Date.now())}
    </time>
  );
}

export function When({ at }: { at: number }) {
  useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={exactTime(at)} className="time">
      {when(at, Date.now())}
    </time>
  );
}

/** The present, each second while something counts down; still otherwise. */
export function useSeconds(counting: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    if (!counting) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [counting]);
  return now;
}
