/** What the core's codes are called in the window. One place, so that words stay the same. */
import type { CostStatus, KeyState, LampState } from "../api/bindings";

export const LAMP_WORDS: Record<LampState, string> = {
  ok: "ok",
  degraded: "degraded",
  open: "open",
  half_open: "half-open",
  parked: "parked",
  unknown: "no data",
};

/** From the worst to the best; `unknown` is no trouble, only no news. */
export const LAMP_ORDER: LampState[] = ["open", "parked", "half_open", "degraded", "ok", "unknown"];

export const COST_WORDS: Record<CostStatus, string> = {
  reported: "reported",
  computed: "computed",
  estimated: "estimated",
  unknown: "unknown",
};

export const KEY_WORDS: Record<KeyState, { word: string; lamp: LampState; next: string | null }> = {
  present: { word: "key present", lamp: "ok", next: null },
  missing: { word: "missing from keychain", lamp: "open", next: "Enter key" },
  locked: { word: "keychain locked", lamp: "half_open", next: "unlock it in the system, nothing else to do" },
  absent: { word: "no keychain here", lamp: "degraded", next: "use an environment variable instead" },
  error: { word: "keychain error", lamp: "open", next: null },
  not_needed: { word: "no key needed", lamp: "ok", next: null },
};

/** A code such as `rate_limited` as words: `rate limited`. */
export const words = (code: string | null | undefined): string => (code ? code.replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase() : "");

interface Target {
  provider: string;
  model: string;
}

/** What a target is called among others: its model, and its provider before it where another one has the same model. */
export function targetName(target: Target, among: readonly Target[]): string {
  const isAlone = among.every((t) => t.model !== target.model || t.provider === target.provider);
  return isAlone ? target.model : `${target.provider}/${target.model}`;
}
