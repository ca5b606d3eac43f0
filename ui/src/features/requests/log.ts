/** The log's rows: the newest page laid over what was read before. */
import type { RequestKey, RequestLine, RequestPage } from "../../api/bindings";

export interface Log {
  /** The newest first, each once. */
  rows: RequestLine[];
  /** There are older ones behind the last. */
  hasMore: boolean;
}

export const EMPTY: Log = { rows: [], hasMore: false };

/** Negative where `a` is newer: in the order of the log. */
export function compare(a: RequestKey, b: RequestKey): number {
  if (a.started_at !== b.started_at) return Number(b.started_at) - Number(a.started_at);
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}

/**
 * The newest page over the log. Where both do not touch, rows between them are unknown: then the
 * page stands alone, and what is older is read again when somebody goes there.
 */
export function withNewest(log: Log, page: RequestPage): Log {
  const last = page.rows.at(-1);
  const newest = log.rows[0];
  if (!page.has_more || !last || !newest || compare(newest, last) > 0) return { rows: page.rows, hasMore: page.has_more };
  const behind = log.rows.findIndex((row) => compare(row, last) > 0);
  if (behind < 0) return { rows: page.rows, hasMore: page.has_more };
  return { rows: [...page.rows, ...log.rows.slice(behind)], hasMore: log.hasMore };
}

/** The page that follows the log's last row. One that was asked for from elsewhere changes nothing. */
export function withOlder(log: Log, after: RequestKey, page: RequestPage): Log {
  const last = log.rows.at(-1);
  if (!last || compare(last, after) !== 0) return log;
  return { rows: [...log.rows, ...page.rows], hasMore: page.has_more };
}

/** The same rows, as they stand now; rows that the log has not are left out. */
export function withChanged(log: Log, changed: readonly RequestLine[]): Log {
  if (changed.length === 0) return log;
  const byId = new Map(changed.map((row) => [row.id, row]));
  return { ...log, rows: log.rows.map((row) => byId.get(row.id) ?? row) };
}

/** Which rows of a list are in view, with some more at both ends so that scrolling shows no blanks. */
export function inView(top: number, height: number, rowHeight: number, count: number, spare = 30): { from: number; to: number } {
  const from = Math.max(0, Math.min(Math.floor(top / rowHeight) - spare, count - 1));
  const to = Math.min(count, Math.ceil((top + height) / rowHeight) + spare);
  return { from: Math.max(0, from), to: Math.max(to, 0) };
}
