import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { RequestFilter, RequestLine } from "../../api/bindings";
import { useRead } from "../../api/queries";
import { EMPTY, type Log, withChanged, withNewest, withOlder } from "./log";

/** Rows that a look at the newest reads, and rows that are read at once further back. */
const NEWEST = 200;
const OLDER = 500;

/** Running rows behind the newest page whose end is waited for. */
const MOST_RUNNING = 200;

export interface LiveLog {
  log: Log;
  isPending: boolean;
  error: ControlError | null;
  readOlder(): void;
}

/** The requests that `filter` lets through, followed while `live`. `filter` must keep its identity. */
export function useLog(filter: RequestFilter, live: boolean): LiveLog {
  const [kept, setKept] = useState<{ filter: RequestFilter; log: Log }>({ filter, log: EMPTY });
  // Another filter is another log; what was read for the one before must not be seen.
  const log = kept.filter === filter ? kept.log : EMPTY;
  const [failure, setFailure] = useState<ControlError | null>(null);
  const isReading = useRef(false);
  const change = useCallback((next: (log: Log) => Log) => setKept((k) => ({ filter, log: next(k.filter === filter ? k.log : EMPTY) })), [filter]);

  const isEmpty = log.rows.length === 0;
  const newest = useRead("requests.list", { filter, limit: NEWEST }, { enabled: live || isEmpty });
  const page = newest.isPlaceholderData ? undefined : newest.data;
  useEffect(() => {
    if (page) change((log) => withNewest(log, page));
  }, [page, change]);

  const running = useMemo(() => stillRunning(log.rows), [log.rows]);
  const ended = useRead("requests.list", { filter: { ids: running }, limit: MOST_RUNNING }, { enabled: live && running.length > 0 });
  const changed = running.length > 0 && !ended.isPlaceholderData ? ended.data : undefined;
  useEffect(() => {
    if (changed?.rows.some((row) => row.status !== "running")) change((log) => withChanged(log, changed.rows));
  }, [changed, change]);

  const last = log.rows.at(-1);
  const readOlder = useCallback(() => {
    if (!last || isReading.current) return;
    isReading.current = true;
    const before = { started_at: last.started_at, id: last.id };
    backend()
      .call("requests.list", { filter, before, limit: OLDER })
      .then((page) => {
        setFailure(null);
        change((log) => withOlder(log, before, page));
      }, (error: unknown) => setFailure(ControlError.from(error)))
      .finally(() => {
        isReading.current = false;
      });
  }, [filter, last, change]);

  return { log, isPending: newest.isPending || newest.isPlaceholderData, error: newest.error ?? failure, readOlder };
}

function stillRunning(rows: readonly RequestLine[]): string[] {
  return rows.slice(NEWEST).filter((row) => row.status === "running").slice(0, MOST_RUNNING).map((row) => row.id);
}
