import type { AttemptView, RequestView } from "../../api/bindings";
import { duration } from "../../lib/format";
import { hueOf } from "../../lib/hues";
import { words } from "../../lib/words";

const WIDTH = 408;
const LEFT = 112;
const RIGHT = 8;
const LINE = 26;

/** Each attempt on one line: dotted while it was waited for, solid while it wrote. */
export function Waterfall({ request }: { request: RequestView }) {
  const { attempts } = request;
  const start = Number(request.started_at);
  const span = Math.max(1, Number(request.duration_ms ?? 0), ...attempts.map((a) => Number(a.started_at) - start + Number(a.duration_ms ?? 0)));
  const { step, ticks } = axis(span);
  const x = (ms: number) => LEFT + (Math.max(0, ms) / (step * ticks)) * (WIDTH - LEFT - RIGHT);
  const foot = attempts.length * LINE + 4;
  return (
    <svg className="waterfall" viewBox={`0 0 ${WIDTH} ${foot + 17}`} role="img" aria-label={attempts.map((a) => `attempt ${Number(a.ordinal) + 1}, ${a.provider}: ${said(a)}`).join("; ")}>
      {Array.from({ length: ticks + 1 }, (_, i) => (
        <g key={i}>
          <path d={`M${x(i * step)} 2V${foot}`} stroke="var(--grid)" />
          <text x={x(i * step)} y={foot + 14} textAnchor={i === ticks ? "end" : "middle"}>{tickWords(i * step, i === ticks, step)}</text>
        </g>
      ))}
      {attempts.map((a, i) => (
        <Attempt key={a.id} attempt={a} at={Number(a.started_at) - start} y={i * LINE + 14} x={x} />
      ))}
    </svg>
  );
}

function Attempt({ attempt: a, at, y, x }: { attempt: AttemptView; at: number; y: number; x(ms: number): number }) {
  const end = at + Number(a.duration_ms ?? 0);
  const first = a.time_to_first_token_ms === null ? end : Math.min(end, at + Number(a.time_to_first_token_ms));
  const failed = isBad(a);
  // What is said stands behind the bar, or before it where there is no room.
  const behind = x(end) + (failed ? 21 : 5);
  const text = failed ? said(a) : a.time_to_first_token_ms === null ? "" : duration(a.time_to_first_token_ms);
  const fits = behind + text.length * 6 < WIDTH;
  return (
    <g>
      <text x="0" y={y + 4} className="wf-name">{`${Number(a.ordinal) + 1} ${a.provider}`.slice(0, 17)}</text>
      <path d={`M${x(at)} ${y}H${x(first)}`} stroke={hueOf(a.provider)} strokeWidth="2" strokeDasharray="2 2" />
      {end > first && <rect x={x(first)} y={y - 5} width={Math.max(1, x(end) - x(first))} height="10" rx="1" fill={hueOf(a.provider)} />}
      {failed && (
        <g transform={`translate(${Math.min(x(end) + 4, WIDTH - 12)} ${y - 6})`} color="var(--lamp-open)">
          <rect width="12" height="12" rx="1.2" fill="currentColor" />
          <path d="M2.5 6h7" stroke="var(--surface)" strokeWidth="1.8" />
        </g>
      )}
      {text !== "" && (failed || fits) && <text x={fits ? behind : x(at) - 4} y={y + 4} textAnchor={fits ? "start" : "end"} className="wf-said">{text}</text>}
    </g>
  );
}

export const isBad = (a: AttemptView): boolean => a.outcome === "failed" || a.outcome === "truncated" || a.outcome === "interrupted";

/** `529 overloaded`, `answered`, `stopped`. */
function said(a: AttemptView): string {
  if (isBad(a)) return [a.http_status !== null && a.http_status >= 400 ? String(a.http_status) : "", a.error_kind === null ? words(a.outcome) : words(a.error_kind)].filter(Boolean).join(" ");
  return a.outcome === "ok" ? `first token after ${duration(a.time_to_first_token_ms)}, ${duration(a.duration_ms)} in all` : words(a.outcome);
}

const STEPS = [1, 2, 5];

/** Three to six ticks of a round step, in milliseconds. */
export function axis(span: number): { step: number; ticks: number } {
  for (let scale = 1; ; scale *= 10) {
    for (const unit of STEPS) {
      const step = unit * scale;
      const ticks = Math.max(1, Math.ceil(span / step));
      if (ticks <= 5) return { step, ticks };
    }
  }
}

function tickWords(ms: number, isLast: boolean, step: number): string {
  const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  const figure = ms === 0 ? "0" : (ms / 1000).toFixed(digits);
  return isLast ? `${figure} s` : figure;
}
