/** What can be changed of a route here, as it stands in the form. */
import type { RouteTargetView, RouteView, SaveRouteArgs } from "../../api/bindings";

export interface Fields {
  strategy: string;
  targets: RouteTargetView[];
  onBreak: string;
  /** As the file says them: `10m`, `p95`; empty for none. */
  sticky: string;
  hedge: string;
  total: string;
  firstContent: string;
  toolCheck: string;
  outputCheck: string;
}

export interface Draft extends Fields {
  /** The route as it would be; what is written in texts shows once it can be read. */
  shown(route: RouteView): Partial<RouteView>;
}

export function draftOf(route: RouteView): Draft {
  return withShown({
    strategy: route.strategy,
    targets: route.targets,
    onBreak: route.on_break,
    sticky: spanText(route.sticky_ms),
    hedge: route.hedge === null ? "" : route.hedge.is_p95 ? "p95" : route.hedge.after_ms !== null ? spanText(route.hedge.after_ms) : `${Math.round((route.hedge.share ?? 0) * 100)}%`,
    total: spanText(route.total_ms),
    firstContent: spanText(route.first_content_ms),
    toolCheck: route.tool_check ?? "",
    outputCheck: route.output_check ?? "",
  });
}

export const withFields = (draft: Draft, change: Partial<Fields>): Draft => withShown({ ...draft, ...change });

function withShown(fields: Fields): Draft {
  return { ...fields, shown: (route) => shownOf(route, fields) };
}

function shownOf(route: RouteView, f: Fields): Partial<RouteView> {
  // A rule names its targets by their place, and the places may have changed.
  const place = (i: number) => f.targets.findIndex((t) => sameTarget(t, route.targets[i]));
  return {
    strategy: f.strategy,
    targets: f.targets,
    rules: route.rules.map((r) => ({ ...r, targets: r.targets.map(place).filter((i) => i >= 0) })),
    on_break: f.onBreak,
    sticky_ms: spanOf(f.sticky),
    hedge: hedgeOf(f.hedge),
    total_ms: spanOf(f.total),
    first_content_ms: spanOf(f.firstContent),
    tool_check: f.toolCheck || null,
    output_check: f.outputCheck || null,
  };
}

const sameTarget = (a: RouteTargetView, b: RouteTargetView | undefined): boolean => a.provider === b?.provider && a.model === b.model;

const TEXTS = [["strategy", "strategy"], ["onBreak", "on_break"], ["sticky", "sticky"], ["hedge", "hedge"], ["total", "total"], ["firstContent", "first_content"], ["toolCheck", "tool_check"], ["outputCheck", "output_check"]] as const;

const hasOtherTargets = (a: Fields, b: Fields): boolean => a.targets.length !== b.targets.length || a.targets.some((t, i) => !sameTarget(t, b.targets[i]));

export const isChanged = (saved: Fields, draft: Fields): boolean => hasOtherTargets(saved, draft) || TEXTS.some(([field]) => saved[field].trim() !== draft[field].trim());

/** Only what was changed; the file keeps the rest as it is. An empty text takes a key away. */
export function changesOf(name: string, saved: Fields, draft: Fields): SaveRouteArgs {
  const args: SaveRouteArgs = { name };
  if (hasOtherTargets(saved, draft)) args.targets = draft.targets.map(({ provider, model }) => ({ provider, model }));
  for (const [field, key] of TEXTS) if (saved[field].trim() !== draft[field].trim()) args[key] = draft[field].trim();
  return args;
}

const UNITS: [string, number][] = [["h", 3_600_000], ["m", 60_000], ["s", 1_000], ["ms", 1]];

/** The largest unit that leaves a whole number: `600000` is `10m`. */
export function spanText(ms: number | null): string {
  if (ms === null) return "";
  const [unit, size] = UNITS.find(([, size]) => ms % size === 0 && ms >= size) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}

export function spanOf(text: string): number | null {
  const match = /^(\d+)\s*(ms|s|m|h)$/.exec(text.trim());
  return match ? Number(match[1]) * (UNITS.find(([unit]) => unit === match[2])?.[1] ?? 1) : null;
}

function hedgeOf(text: string): RouteView["hedge"] {
  const trimmed = text.trim();
  if (trimmed === "p95") return { is_p95: true, after_ms: null, share: null };
  const percent = /^(\d{1,2})\s*%$/.exec(trimmed);
  if (percent) return { is_p95: false, after_ms: null, share: Number(percent[1]) / 100 };
  const after = spanOf(trimmed);
  return after === null ? null : { is_p95: false, after_ms: after, share: null };
}

export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  const [one] = next.splice(from, 1);
  if (one !== undefined) next.splice(to, 0, one);
  return next;
}
