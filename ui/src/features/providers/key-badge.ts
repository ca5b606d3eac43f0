import type { LampState, ProviderView } from "../../api/bindings";
import { KEY_WORDS, words } from "../../lib/words";
import type { Tested } from "./ProvidersSection";

export interface KeyBadge {
  lamp: LampState;
  word: string;
  why: string;
  /** The one next action is to give a key. */
  needsKey: boolean;
}

/** The state of a provider's key in words, as the last test or else the core saw it. */
export function keyBadge(p: ProviderView, tested: Tested | undefined): KeyBadge {
  const stored = p.key_source === "keychain";
  if (tested !== undefined && tested !== "running") {
    const { result } = tested;
    if (result.ok) return { lamp: "ok", word: p.key_state === "not_needed" ? "works, no key needed" : "works", why: "", needsKey: false };
    const rejected = /auth|permission|key|401|403/.test(result.error?.kind ?? "");
    const why = result.error?.message ?? "";
    if (p.key_state === "present" && rejected) return { lamp: "parked", word: "key rejected", why, needsKey: stored };
    if (p.key_state === "present" || p.key_state === "not_needed") return { lamp: "open", word: words(result.error?.kind) || "test failed", why, needsKey: false };
  }
  const { word, lamp, next } = KEY_WORDS[p.key_state];
  if (p.key_state === "missing" && p.key_source === "env") return { lamp: "open", word: "variable not set", why: p.key_message ?? `set ${p.key_env ?? "it"} and restart`, needsKey: false };
  return { lamp, word, why: p.key_message ?? (p.key_state === "missing" ? "" : (next ?? "")), needsKey: stored && p.key_state === "missing" };
}
