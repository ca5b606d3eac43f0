/** The timeline's figures: lanes of providers, and where requests were switched between them. */
import type { HealthRow, Switch } from "../../api/bindings";
import { words } from "../../lib/words";

export interface Lane {
  provider: string;
  /** One per part of the window, oldest first. */
  parts: ("none" | "ok" | "degraded" | "failing")[];
}

/** As on the lamps: one failure in ten is more than chance. */
const DEGRADED = 0.1;
const FAILING = 0.5;

/** A lane per provider that was asked, and one for each that a switch names. */
export function lanesOf(rows: readonly HealthRow[], switches: readonly Switch[]): Lane[] {
  const sums = new Map<string, { asked: number[]; failed: number[] }>();
  for (const row of rows) {
    if (Number(row.requests) === 0) continue;
    const sum = sums.get(row.provider) ?? { asked: [], failed: [] };
    row.sparkline.forEach((n, i) => (sum.asked[i] = (sum.asked[i] ?? 0) + Number(n)));
    row.error_sparkline.forEach((n, i) => (sum.failed[i] = (sum.failed[i] ?? 0) + Number(n)));
    sums.set(row.provider, sum);
  }
  for (const s of switches) for (const provider of [s.from_provider, s.to_provider]) if (!sums.has(provider)) sums.set(provider, { asked: [], failed: [] });
  const parts = Math.max(0, ...rows.map((row) => row.sparkline.length));
  return [...sums].sort(([a], [b]) => a.localeCompare(b)).map(([provider, { asked, failed }]) => ({
    provider,
    parts: Array.from({ length: parts }, (_, i) => {
      const share = (failed[i] ?? 0) / Math.max(1, asked[i] ?? 0);
      return (asked[i] ?? 0) === 0 ? "none" : share >= FAILING ? "failing" : share >= DEGRADED ? "degraded" : "ok";
    }),
  }));
}

/** Runs of equal parts: `[from, to)` each. */
export function runsOf(parts: Lane["parts"]): { state: Lane["parts"][number]; from: number; to: number }[] {
  const runs: ReturnType<typeof runsOf> = [];
  parts.forEach((state, i) => {
    const last = runs.at(-1);
    if (last?.state === state) last.to = i + 1;
    else runs.push({ state, from: i, to: i + 1 });
  });
  return runs;
}

/** Switches of one kind that came close together. */
export interface Wave {
  from: string;
  to: string;
  /** The targets as they were in the newest one. */
  newest: Switch;
  first: number;
  last: number;
  count: number;
  saved: number;
  cause: string;
}

/** Apart by more than this, two switches are two stories. */
const TOGETHER_MS = 5 * 60_000;

/** The newest first. Between models of one provider the models' names are the ends. */
export function wavesOf(switches: readonly Switch[]): Wave[] {
  const waves: Wave[] = [];
  for (const s of [...switches].sort((a, b) => Number(a.at) - Number(b.at))) {
    const within = s.from_provider === s.to_provider;
    const [from, to] = within ? [s.from_model, s.to_model] : [s.from_provider, s.to_provider];
    const cause = causeOf(s);
    const open = waves.findLast((w) => w.from === from && w.to === to && w.cause === cause && Number(s.at) - w.last <= TOGETHER_MS);
    const wave = open ?? { from, to, newest: s, first: Number(s.at), last: 0, count: 0, saved: 0, cause };
    wave.newest = s;
    wave.last = Number(s.at);
    wave.count += 1;
    wave.saved += s.is_saved ? 1 : 0;
    if (!open) waves.push(wave);
  }
  return waves.sort((a, b) => b.last - a.last);
}

const REASONS: Record<string, string> = { hedge: "slow to its first token", check: "its answer failed a check", continue: "broke off in mid-answer", probe: "a probe" };

/** `overloaded (529)`, `slow to its first token`. */
export function causeOf(s: Switch): string {
  const status = s.http_status !== null && s.http_status >= 400 ? ` (${s.http_status})` : "";
  if (s.error_kind !== null && s.error_kind !== "cancelled") return `${words(s.error_kind)}${status}`;
  return REASONS[s.reason ?? ""] ?? (words(s.reason) || "unknown");
}
