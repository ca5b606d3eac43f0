/**
 * Every number the window shows is written here. The core sends units (pico-dollars,
 * milliseconds, tokens), never strings. `unknown` is a word, and never 0.
 */

const PICO_PER_USD = 1e12;
const UNKNOWN = "unknown";
/** What a table shows where there is no figure at all (an en dash, as in the design). */
export const NONE = "–";

type Maybe = number | bigint | null | undefined;

/**
 * Past 2⁵³ a double no longer holds each integer. 9e15 pico-dollars are 9,007 USD: such sums
 * are shown to the cent, where the loss (below 1e-8 USD) cannot be seen.
 */
function toUsd(picousd: Maybe): number | null {
  if (picousd === null || picousd === undefined) return null;
  const n = Number(picousd);
  return Number.isFinite(n) ? n / PICO_PER_USD : null;
}

function dollars(usd: number, digits: number): string {
  const text = Math.abs(usd).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${usd < 0 ? "−" : ""}$${text}`;
}

/** A price so small that the digits would show zero is named as less than the last digit. */
function money(picousd: Maybe, digits: number): string {
  const usd = toUsd(picousd);
  if (usd === null) return UNKNOWN;
  if (usd === 0) return "$0";
  const least = 10 ** -digits;
  if (Math.abs(usd) < least / 2) return `<${dollars(least, digits)}`;
  return dollars(usd, digits);
}

/** A sum, to the cent. */
export function moneySum(picousd: Maybe): string {
  const usd = toUsd(picousd);
  return usd === 0 ? "$0.00" : money(picousd, 2);
}

/** A sum of requests; unknown where not one of them has a price above nothing: free ones beside unknown ones are no $0. */
export function moneyOf(picousd: Maybe, requests: Maybe, unknown: Maybe): string {
  const isUnknown = Number(unknown) > 0 && (Number(unknown) >= Number(requests) || toUsd(picousd) === 0);
  return moneySum(isUnknown ? null : picousd);
}

/** One request, four digits. */
export const moneyRequest = (picousd: Maybe): string => money(picousd, 4);

/** One line of a cost, six digits. */
export const moneyLine = (picousd: Maybe): string => money(picousd, 6);

/** The tick of an axis: no more digits than it needs. */
export function moneyTick(usd: number): string {
  if (usd === 0) return "$0";
  const digits = usd >= 10 || Number.isInteger(usd) ? 0 : usd >= 0.1 ? 2 : Math.min(12, Math.ceil(-Math.log10(usd)) + 1);
  return dollars(usd, digits);
}

/** A list price such as `2.5`, in dollars per million tokens: `$2.50`. */
export function pricePerMTok(decimal: string | null | undefined): string {
  if (decimal === null || decimal === undefined || decimal === "") return UNKNOWN;
  const n = Number(decimal);
  if (!Number.isFinite(n)) return UNKNOWN;
  return n === 0 ? "$0" : dollars(n, n >= 0.1 || Number.isInteger(n * 100) ? 2 : 3);
}

export function count(n: Maybe): string {
  return n === null || n === undefined ? NONE : Number(n).toLocaleString("en-US");
}

/** `1,204`, `31.2 k`, `2.6 M`: three figures or so, for tables. */
export function tokens(n: Maybe): { figure: string; unit: string } {
  if (n === null || n === undefined) return { figure: NONE, unit: "" };
  const value = Number(n);
  if (value < 10_000) return { figure: count(value), unit: "" };
  if (value < 999_500) return { figure: (value / 1e3).toFixed(value < 99_950 ? 1 : 0), unit: "k" };
  return { figure: (value / 1e6).toFixed(value < 99.95e6 ? 1 : 0), unit: "M" };
}

/** A window of context: `272 k`, `1 M`. */
export function windowSize(n: number | null): string {
  if (n === null) return UNKNOWN;
  if (n < 1000) return count(n);
  return n < 1e6 ? `${Math.round(n / 1000)} k` : `${Number((n / 1e6).toFixed(1))} M`;
}

/** Seconds with the precision a reader compares: `0.84 s`, `12.3 s`, `2 min 5 s`. */
export function duration(ms: Maybe): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  const s = Number(ms) / 1000;
  if (s < 9.995) return `${s.toFixed(2)} s`;
  if (s < 59.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** The figure alone, for columns whose head carries the unit. */
export function seconds(ms: Maybe): string {
  if (ms === null || ms === undefined) return NONE;
  const s = Number(ms) / 1000;
  return s < 9.995 ? s.toFixed(2) : s < 999.5 ? s.toFixed(1) : s.toFixed(0);
}

export function rate(perSecond: number | null | undefined): string {
  return perSecond === null || perSecond === undefined ? NONE : perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en-US");
}

/** A share between 0 and 1 as `1.7`; the sign stands beside it, smaller. */
export function percent(share: number | null | undefined): string {
  return share === null || share === undefined || !Number.isFinite(share) ? NONE : (share * 100).toFixed(1);
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

const CLOCK: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

/** `14:07` today, `Wed` within a week, `12 Nov` before. */
export function when(at: number, now: number): string {
  const then = new Date(at);
  const days = daysBetween(then, new Date(now));
  if (days <= 0) return then.toLocaleTimeString("en-GB", CLOCK);
  if (days < 7) return then.toLocaleDateString("en-GB", { weekday: "short" });
  const sameYear = then.getFullYear() === new Date(now).getFullYear();
  return then.toLocaleDateString("en-GB", sameYear ? { day: "numeric", month: "short" } : { day: "numeric", month: "short", year: "numeric" });
}

/** `just now`, `2 min ago`, `3 h ago`, then the date. */
export function ago(at: number, now: number): string {
  const s = Math.max(0, (now - at) / 1000);
  if (s < 45) return "just now";
  if (s < 3570) return `${Math.max(1, Math.round(s / 60))} min ago`;
  if (s < 86_400) return `${Math.round(s / 3600)} h ago`;
  return when(at, now);
}

/** The exact time, for the hover. */
export function exactTime(at: number): string {
  const d = new Date(at);
  const date = d.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  return `${date}, ${d.toLocaleTimeString("en-GB", { ...CLOCK, second: "2-digit" })}`;
}

/** `14:07:02`, for logs. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB", { ...CLOCK, second: "2-digit" });
}

/** `2026-11-20` as `20 Nov`. */
export function dayLabel(date: string): string {
  const [y, m, d] = date.split("-").map(Number);
  return new Date(y ?? 1970, (m ?? 1) - 1, d ?? 1).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

function daysBetween(a: Date, b: Date): number {
  const midnight = (d: Date) => Date.UTC(d.getFullYear(), d.getMonth(), d.getDate());
  return Math.round((midnight(b) - midnight(a)) / 86_400_000);
}
