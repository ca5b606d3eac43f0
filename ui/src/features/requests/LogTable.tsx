import { type KeyboardEvent, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { RequestLine } from "../../api/bindings";
import { Icon } from "../../components/Icon";
import { Lamp } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { clock, count, exactTime, moneyRequest, NONE, seconds } from "../../lib/format";
import { hrefOf } from "../../lib/router";
import { testids } from "../../lib/testids";
import { words } from "../../lib/words";
import { inView } from "./log";

/** Pixels; also in requests.css. */
const ROW = 25;

const COLUMNS = 11;

/** Rows before the end at which older ones are read. */
const AHEAD = 100;

interface LogTableProps {
  rows: RequestLine[];
  hasMore: boolean;
  selected: string | null;
  onSelect(id: string): void;
  onEnd(): void;
}

/** The log. Only what is in view is drawn, so that its length costs nothing. */
export function LogTable({ rows, hasMore, selected, onSelect, onEnd }: LogTableProps) {
  const box = useRef<HTMLDivElement>(null);
  const view = useView(box);
  useStillWhileGrowing(box, rows);
  const { from, to } = inView(view.top, view.height, ROW, rows.length);
  useEffect(() => {
    if (hasMore && to > rows.length - AHEAD) onEnd();
  }, [hasMore, to, rows.length, onEnd]);

  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" || event.key === "j" ? 1 : event.key === "ArrowUp" || event.key === "k" ? -1 : 0;
    if (by === 0 || event.ctrlKey || event.metaKey || event.altKey || rows.length === 0) return;
    event.preventDefault();
    const at = rows.findIndex((row) => row.id === selected);
    const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
    const row = rows[next];
    if (row) onSelect(row.id);
    if (box.current) box.current.scrollTop = intoView(box.current.scrollTop, box.current.clientHeight, next);
  };

  return (
    <div className="log-box" ref={box} tabIndex={0} role="region" aria-label="Log" onKeyDown={onKeyDown} data-testid={testids.requestLog}>
      <table className="log" aria-rowcount={hasMore ? -1 : rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th className="c-time">Time</th>
            <th className="c-state"><span className="sr-only">State</span></th>
            <th className="c-client">Client</th>
            <th className="c-route">Route</th>
            <th>Answered by</th>
            <th className="r c-tries">Tries</th>
            <th className="r c-sec">First, s</th>
            <th className="r c-sec">Total, s</th>
            <th className="r c-tok tok">In</th>
            <th className="r c-tok tok">Out</th>
            <th className="r c-cost">Cost</th>
          </tr>
        </thead>
        <tbody>
          {from > 0 && <tr aria-hidden="true" className="gap"><td colSpan={COLUMNS} style={{ height: from * ROW }} /></tr>}
          {rows.slice(from, to).map((row, i) => (
            <Row key={row.id} row={row} index={from + i + 2} on={row.id === selected} onSelect={onSelect} />
          ))}
          {to < rows.length && <tr aria-hidden="true" className="gap"><td colSpan={COLUMNS} style={{ height: (rows.length - to) * ROW }} /></tr>}
        </tbody>
      </table>
    </div>
  );
}

function Row({ row, index, on, onSelect }: { row: RequestLine; index: number; on: boolean; onSelect(id: string): void }) {
  const provider = row.provider ?? null;
  return (
    <tr className={on ? "on" : undefined} aria-rowindex={index} aria-current={on ? "true" : undefined} onClick={() => onSelect(row.id)} data-testid={testids.requestRow} data-request={row.id} data-status={row.status}>
      <td className="t2">
        <a href={hrefOf("requests", row.id)} tabIndex={-1} title={exactTime(Number(row.started_at))} onClick={(event) => event.preventDefault()}>{clock(Number(row.started_at))}</a>
      </td>
      <td className="c-state"><State row={row} /></td>
      <td className="cut" title={row.client ?? undefined}>{clientOf(row)}</td>
      <td className="t2 cut" title={row.route === null ? `asked for ${row.request_model}` : undefined}>{row.route ?? NONE}</td>
      <td className="cut">{provider === null ? <span className="t3">nobody</span> : <Line provider={provider} title={`${provider} ${row.model ?? ""}`}>{row.model ?? provider}</Line>}</td>
      <td className={row.attempts > 1 ? "r med" : "r t3"}>{row.attempts === 0 ? NONE : count(row.attempts)}</td>
      <td className="r">{seconds(row.time_to_first_token_ms)}</td>
      <td className="r">{seconds(row.duration_ms)}</td>
      <td className="r tok">{count(row.input_tokens)}</td>
      <td className="r tok">{count(row.output_tokens)}</td>
      <td className="r"><Cost row={row} /></td>
    </tr>
  );
}

export const clientOf = (row: { client: string | null; dialect: string }): string => row.client ?? (row.dialect === "chat" ? "Chat" : "unknown");

function State({ row }: { row: RequestLine }) {
  if (row.status === "running") return <i className="run" role="img" aria-label="running" title="running" />;
  const said = stateWords(row);
  if (row.status === "ok" && row.switches > 0) return <span className="switched" role="img" aria-label={said} title={said}><Icon name="route" small /></span>;
  const lamp = row.status === "ok" ? "ok" : row.status === "cancelled" ? "parked" : row.status === "interrupted" ? "unknown" : row.status === "truncated" ? "degraded" : "open";
  return <span title={said}><Lamp state={lamp} label={said} /></span>;
}

/** `answered`, `answered after a switch`, `failed: rate limited`. */
export function stateWords(row: { status: string; switches?: number; error_kind: string | null }): string {
  switch (row.status) {
    case "ok":
      return (row.switches ?? 0) > 0 ? "answered after a switch" : "answered";
    case "cancelled":
      return "stopped";
    case "truncated":
      return "cut short";
    case "failed":
      return row.error_kind === null ? "failed" : `failed: ${words(row.error_kind)}`;
    default:
      return words(row.status);
  }
}

function Cost({ row }: { row: RequestLine }) {
  if (row.cost_picousd !== null) return <span className={Number(row.cost_picousd) === 0 ? "t3" : undefined} title={row.cost_status}>{moneyRequest(row.cost_picousd)}</span>;
  return row.status === "running" ? <span className="t3">{NONE}</span> : <span className="unpriced" title="No usage or no price is known">unknown</span>;
}

/** Where the box stands, at most once a frame. */
function useView(box: React.RefObject<HTMLDivElement | null>): { top: number; height: number } {
  const [view, setView] = useState({ top: 0, height: 0 });
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    let frame = 0;
    const read = () => {
      frame = 0;
      setView((v) => (v.top === el.scrollTop && v.height === el.clientHeight ? v : { top: el.scrollTop, height: el.clientHeight }));
    };
    const onChange = () => {
      frame ||= requestAnimationFrame(read);
    };
    read();
    el.addEventListener("scroll", onChange, { passive: true });
    const sizes = new ResizeObserver(onChange);
    sizes.observe(el);
    return () => {
      cancelAnimationFrame(frame);
      el.removeEventListener("scroll", onChange);
      sizes.disconnect();
    };
  }, [box]);
  return view;
}

/** A reader who has scrolled down keeps their rows where they are when newer ones come. */
function useStillWhileGrowing(box: React.RefObject<HTMLDivElement | null>, rows: RequestLine[]): void {
  const first = useRef<string | null>(null);
  const keep = useCallback(() => {
    const el = box.current;
    const before = first.current;
    first.current = rows[0]?.id ?? null;
    if (!el || before === null || el.scrollTop === 0 || before === first.current) return;
    const added = rows.findIndex((row) => row.id === before);
    if (added > 0) el.scrollTop += added * ROW;
  }, [box, rows]);
  useLayoutEffect(keep, [keep]);
}

/** Where to scroll so that the row is seen; the head covers one row at the top. */
function intoView(top: number, height: number, index: number): number {
  const at = index * ROW;
  if (at < top) return at;
  const over = at + 2 * ROW + 1 - (top + height);
  return over > 0 ? top + over : top;
}
