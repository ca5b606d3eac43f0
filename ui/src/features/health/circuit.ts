/** A target's circuit, limits and pauses in words; the router says codes and spans. */
import type { LampState, Limit, Place } from "../../api/bindings";

/** `41 s`, `3 min`, `2 h`: a countdown, to the whole. */
export function spanWords(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`;
}

export interface Standing {
  lamp: LampState;
  words: string;
}

const WHY: Record<string, string> = { cooling: "told to wait", parked: "parked", limited: "limit used up", limit_too_small: "limit too small", demoted: "behind the others", probing: "probe under way", budget: "budget used up" };

/**
 * How a target stands, `since` milliseconds after the router said so. `null` where nothing keeps
 * requests away: then what was measured decides.
 */
export function standingOf(place: Place | undefined, key: Place | undefined, since: number): Standing | null {
  for (const one of [place, key]) {
    if (!one) continue;
    const whose = one === key ? "key " : "";
    if (one.is_drained) return { lamp: "parked", words: "taken out by hand" };
    const left = one.opens_in_ms === null ? null : Number(one.opens_in_ms) - since;
    const until = left === null || left <= 0 ? "" : left;
    switch (one.against) {
      case "circuit_open":
        return { lamp: "open", words: until === "" ? "open, probe due" : `open, probe in ${spanWords(until)}` };
      case "parked":
      case "cooling":
        return { lamp: "parked", words: `${whose}${WHY[one.against] ?? ""}${until === "" ? "" : `, ${spanWords(until)} left`}` };
      case "limited":
        return { lamp: "degraded", words: `${whose}${WHY["limited"] ?? ""}${until === "" ? "" : `, free in ${spanWords(until)}`}` };
      case "probing":
        return { lamp: "half_open", words: "half-open, probe under way" };
      default:
    }
    if (one.circuit === "open") return { lamp: "half_open", words: "half-open, next request probes" };
    if (one.circuit === "half_open") return { lamp: "half_open", words: "half-open" };
    if (one.share !== null) return { lamp: "half_open", words: `half-open, ${percentOf(one.share)}% of its traffic` };
  }
  return null;
}

const percentOf = (share: number): string => String(Math.round(share * 100));

export interface QuotaLeft {
  /** 0 to 1; `null` where the provider does not say of how much. */
  share: number | null;
  left: number;
  /** `3,210 of 5,000 requests a minute, whole again in 41 s` */
  words: string;
}

const WINDOWS: Record<string, string> = { "1000": "a second", "60000": "a minute", "3600000": "an hour", "86400000": "a day" };
const COUNTED: Record<string, string> = { requests: "requests", tokens: "tokens", input_tokens: "input tokens", output_tokens: "output tokens", concurrency: "at the same time" };

function quotaOf(limit: Limit, whose: string): QuotaLeft {
  const [left, most] = [Number(limit.left), limit.most === null ? null : Number(limit.most)];
  const window = limit.window_ms === null ? "" : ` ${WINDOWS[String(limit.window_ms)] ?? `in ${spanWords(Number(limit.window_ms))}`}`;
  const whole = limit.resets_in_ms === null || Number(limit.resets_in_ms) === 0 ? "" : `, whole again in ${spanWords(Number(limit.resets_in_ms))}`;
  const of = most === null ? "" : ` of ${most.toLocaleString("en-US")}`;
  return { share: most === null || most === 0 ? null : Math.min(1, left / most), left, words: `${left.toLocaleString("en-US")}${of} ${COUNTED[limit.counted] ?? limit.counted}${window} left${whose}${whole}${limit.is_set ? " (from the settings)" : ""}` };
}

/** What is left of requests or of tokens: the scarcest, and all of them in words. `null`: no limit is known. */
export function quotaLeft(place: Place | undefined, key: Place | undefined, kind: "requests" | "tokens"): (QuotaLeft & { all: string }) | null {
  const isWanted = (l: Limit) => (kind === "tokens" ? l.counted.includes("tokens") : !l.counted.includes("tokens"));
  const quotas = [
    ...(place?.limits ?? []).filter(isWanted).map((l) => quotaOf(l, "")),
    ...(key?.limits ?? []).filter(isWanted).map((l) => quotaOf(l, " for the whole key")),
  ];
  const scarcest = quotas.reduce<QuotaLeft | null>((least, q) => (least === null || (q.share ?? 1) < (least.share ?? 1) ? q : least), null);
  return scarcest && { ...scarcest, all: quotas.map((q) => q.words).join("\n") };
}
