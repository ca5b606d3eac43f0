/** The words of the search field as a filter, and what is wrong with those that make none. */
import type { RequestField, RequestFilter } from "../../api/bindings";

const FIELDS: Record<string, RequestField> = {
  model: "model",
  provider: "provider",
  tried: "tried",
  client: "client",
  route: "route",
  status: "outcome",
  outcome: "outcome",
  error: "error",
  operation: "operation",
};

/** What can be written before a colon, for the hint and for mistakes. */
export const KEYS = [...Object.keys(FIELDS).filter((key) => key !== "outcome"), "cost", "since", "before", "is"];

export interface Search {
  filter: RequestFilter;
  /** Sentences about words that are not followed. */
  problems: string[];
}

/** One word of the field: `-client:cron`, `model:"gpt 5"`, `overloaded`. */
export function wordsOf(text: string): string[] {
  return text.match(/-?(?:[a-z]+:)?(?:"[^"]*"?|\S+)/gi) ?? [];
}

export function parseSearch(text: string, now: number): Search {
  const filter: RequestFilter = {};
  const terms: NonNullable<RequestFilter["terms"]> = [];
  const problems: string[] = [];
  for (const word of wordsOf(text)) {
    const [, minus, key = "", raw = ""] = /^(-?)(?:([a-z]+):)?(.*)$/i.exec(word) ?? [];
    const value = raw.replaceAll('"', "");
    const is_not = minus === "-";
    const name = key.toLowerCase();
    const problem = name === "" || name in FIELDS ? addTerm() : is_not ? `“${word}” cannot be turned round` : special();
    if (problem !== null) problems.push(problem);

    function addTerm(): string | null {
      if (value === "") return name === "" ? null : `“${word}” lacks what to look for`;
      terms.push({ field: name === "" ? "text" : (FIELDS[name] ?? "text"), value, is_not });
      return null;
    }

    function special(): string | null {
      switch (name) {
        case "cost": {
          const usd = Number(/^>\$?([\d.]+)$/.exec(value)?.[1] ?? Number.NaN);
          if (!Number.isFinite(usd)) return "write a cost as cost:>0.1, in dollars";
          filter.cost_over_picousd = Math.round(usd * 1e12);
          return null;
        }
        case "since":
        case "before": {
          const at = momentOf(value, now);
          if (at === null) return `write a time as ${name}:14:00, ${name}:2026-11-20 or ${name}:2h`;
          if (name === "since") filter.since_at = at;
          else filter.until_at = at;
          return null;
        }
        case "is":
          if (value !== "switched") return "write is:switched for requests that went on elsewhere";
          filter.is_switched = true;
          return null;
        default:
          return `there is no “${name}:”; there are ${KEYS.map((k) => `${k}:`).join(" ")}`;
      }
    }
  }
  if (terms.length > 0) filter.terms = terms;
  return { filter, problems };
}

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `14:00` today, `2026-11-20` at its midnight, `90m`, `2h`, `7d` ago; by the window's own clock. */
function momentOf(value: string, now: number): number | null {
  const span = /^(\d+)([mhd])$/.exec(value);
  if (span) return now - Number(span[1]) * (UNITS[span[2] ?? "h"] ?? 0);
  const clock = /^(\d{1,2}):(\d{2})$/.exec(value);
  if (clock) {
    const [hours, minutes] = [Number(clock[1]), Number(clock[2])];
    return hours < 24 && minutes < 60 ? new Date(now).setHours(hours, minutes, 0, 0) : null;
  }
  const date = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  if (!date) return null;
  const [year, month, day] = [Number(date[1]), Number(date[2]), Number(date[3])];
  const at = new Date(year, month - 1, day);
  return at.getMonth() === month - 1 ? at.getTime() : null;
}

/** The text with `word` in it, or without it where it was there. */
export function toggleWord(text: string, word: string): string {
  const words = wordsOf(text);
  const rest = words.filter((w) => w !== word);
  return (rest.length < words.length ? rest : [...words, word]).join(" ");
}
