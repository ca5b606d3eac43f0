import type { SpendSummary, SpendTotal } from "../../api/bindings";
import { isSharedHue } from "../../lib/hues";

/** How many groups are told apart in the chart; the rest is one hollow part. */
const MAX_SERIES = 7;
export const OTHER = "Other";

export interface Series {
  key: string;
  provider: string;
  hollow: boolean;
}

export interface Bar {
  date: string;
  total: number;
  unknown: number;
  requests: number;
  parts: { series: Series; picousd: number }[];
}

/** `provider/model` belongs to `provider`; a provider's key is its own. */
export const providerOf = (key: string): string => key.split("/")[0] ?? key;

export function seriesOf(totals: readonly SpendTotal[]): Series[] {
  const priced = [...totals].filter((t) => Number(t.cost_picousd) > 0).sort((a, b) => Number(b.cost_picousd) - Number(a.cost_picousd));
  const shown = priced.slice(0, MAX_SERIES).map(({ key }) => ({ key, provider: providerOf(key), hollow: isSharedHue(providerOf(key)) }));
  return priced.length > MAX_SERIES ? [...shown, { key: OTHER, provider: "", hollow: true }] : shown;
}

export function barsOf(summary: SpendSummary, series: readonly Series[]): Bar[] {
  return summary.days.map((day) => {
    const parts = series.map((s) => ({
      series: s,
      picousd: day.groups.filter((g) => (s.key === OTHER ? !series.some((o) => o.key === g.key) : g.key === s.key)).reduce((n, g) => n + Number(g.cost_picousd), 0),
    }));
    const add = (of: (g: (typeof day.groups)[number]) => number) => day.groups.reduce((n, g) => n + Number(of(g)), 0);
    return { date: day.date, parts, total: add((g) => g.cost_picousd), unknown: add((g) => g.unknown), requests: add((g) => g.requests) };
  });
}

/** A scale of three or four even steps that holds `max`, in steps of 1, 2, 2.5, 3 or 5. */
export function ticksFor(max: number): number[] {
  if (!(max > 0)) return [0, 1];
  const rough = max / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 3, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) ?? rough;
  const ticks: number[] = [];
  for (let n = 0; ticks.length === 0 || (ticks.at(-1) ?? 0) < max * 0.9999; n += 1) ticks.push(n * step);
  return ticks;
}

const DIGIT_WIDTH = 6.6;
const AXIS_GAP = 12;

/** How many pixels the labels of an axis need; a few cents a month have long ones. */
export function axisWidth(labels: string[]): number {
  return Math.max(46, Math.ceil(Math.max(0, ...labels.map((label) => label.length)) * DIGIT_WIDTH) + AXIS_GAP);
}
