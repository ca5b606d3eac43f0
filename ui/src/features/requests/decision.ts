/** A decision in plain words. The router says codes; what they mean stands here once. */
import type { Decision, DecisionCandidate, DecisionStep, LampState } from "../../api/bindings";
import { duration, moneyRequest, plural } from "../../lib/format";
import { targetName, words } from "../../lib/words";

/** Why a target was left out, or stands behind others. */
const AGAINST: Record<string, string> = {
  condition: "not for such requests",
  only_after: "only after a failure of another kind",
  too_long: "the request is longer than it reads",
  no_tools: "it cannot call tools",
  no_images: "it cannot see images",
  no_schema: "it cannot keep to a schema",
  budget: "a budget does not allow it",
  drained: "taken out by hand",
  draining: "taken out by hand",
  circuit_open: "its circuit is open",
  cooling: "it asked to be left alone for a while",
  parked: "key, credit or model refused",
  probing: "a probe is under way",
  recovering: "it is coming back in steps",
  limited: "its limit leaves no room now",
  limit_too_small: "the request is larger than its limit",
  demoted: "it refused many for the rate",
  tried: "it has failed here already",
};

/** Why an attempt failed, to stand behind a name: `Anthropic was limited`. */
const CAUSES: Record<string, string> = {
  context_too_long: "found the request too long",
  content_filtered: "declined it, or a filter did",
  quota: "has no credit or refused the key",
  rate_limited: "was at its limit",
  failed: "failed",
  slow: "took too long",
  check: "gave an answer that failed its check",
  broke: "broke off in mid-answer",
};

const WHY: Record<string, string> = {
  first: "asked first",
  retry: "asked once more",
  failover: "asked instead",
  hedge: "asked beside it, for the first was slow",
  check: "asked again, for the answer failed its check",
  probe: "asked as a probe",
  continue: "asked to go on from the text so far",
};

export const againstWords = (code: string): string => AGAINST[code] ?? words(code);
export const causeWords = (code: string): string => CAUSES[code] ?? words(code);

/** An attempt's reason: `first` and the like, as a word for a column. */
export const reasonWords = (code: string | null): string => (code === null ? "" : (WHY[code] ?? words(code)));

const STATES: Record<string, LampState> = { circuit_open: "open", probing: "half_open", recovering: "half_open", cooling: "parked", parked: "parked", drained: "parked", draining: "parked", budget: "parked", limited: "degraded", demoted: "degraded" };

/** The lamp that a candidate had when it was weighed, as far as the reason tells. */
export const stateOf = (c: DecisionCandidate): LampState => (c.why === null ? "ok" : (STATES[c.why] ?? "unknown"));

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"];
const sameTarget = (a: { provider: string | null; model: string | null }, b: { provider: string | null; model: string | null }): boolean => a.provider === b.provider && a.model === b.model;

/** What became of a candidate: `tried first, failed`, `left out: …`, `not needed`. */
export function fateOf(c: DecisionCandidate, decision: Decision): string {
  const asked = decision.steps.filter((s) => s.what === "asked");
  const turn = asked.findIndex((s) => sameTarget(s, c));
  if (turn >= 0) {
    const ends = decision.steps.filter((s) => sameTarget(s, c) && ["failed", "answered", "lost"].includes(s.what));
    const end = ends.at(-1);
    const outcome = end === undefined ? "" : end.what === "answered" ? ", answered" : end.what === "lost" ? ", was slower" : `, ${causeWords(end.cause ?? "failed")}`;
    return `tried ${ORDINALS[turn] ?? `as number ${turn + 1}`}${outcome}`;
  }
  const passed = decision.steps.find((s) => s.what === "passed_over" && sameTarget(s, c));
  const why = passed?.against ?? c.why;
  if (why !== null && why !== undefined) return `left out: ${againstWords(why)}`;
  return "not needed";
}

/** Who a step is about, so that no other candidate could be meant. */
function whoOf(step: DecisionStep, among: readonly DecisionCandidate[]): string | null {
  return step.provider !== null && step.model !== null ? targetName({ provider: step.provider, model: step.model }, among) : (step.model ?? step.provider);
}

/** One step as a sentence without its full stop. */
export function stepWords(step: DecisionStep, among: readonly DecisionCandidate[]): string {
  const who = whoOf(step, among) ?? "it";
  switch (step.what) {
    case "asked":
      return `${who} ${WHY[step.why ?? "first"] ?? "asked"}`;
    case "passed_over":
      return `${who} passed over: ${againstWords(step.against ?? "unknown")}`;
    case "waited":
      return `waited ${duration(step.wait_ms)}${step.provider === null ? "" : ` for ${who}`}${step.against === null ? "" : `: ${againstWords(step.against)}`}`;
    case "failed":
      return `${who} ${causeWords(step.cause ?? "failed")}`;
    case "lost":
      return `${who} was slower and was let go`;
    case "answered":
      return `${who} answered`;
    case "seam":
      return `${who} went on${step.at_chars === null ? "" : ` after ${plural(Number(step.at_chars), "character")}`}`;
    case "gave_up":
      return `gave up${step.against === null ? (step.cause === null ? "" : `: it ${causeWords(step.cause)}`) : `: ${againstWords(step.against)}`}`;
    default:
      return `${who} ${words(step.what)}`;
  }
}

export const stepState = (step: DecisionStep): LampState | null => {
  switch (step.what) {
    case "answered":
      return "ok";
    case "failed":
    case "gave_up":
      return "open";
    case "passed_over":
      return STATES[step.against ?? ""] ?? "unknown";
    case "seam":
    case "waited":
      return "degraded";
    default:
      return null;
  }
};

/** The whole decision in a few sentences. */
export function summary(d: Decision): string[] {
  const said: string[] = [];
  const by = d.strategy === "" ? "" : `, by ${words(d.strategy)}`;
  said.push(d.route === "" ? `The model was asked for by its own name${by}.` : `Route ${d.route}${by}${d.rule === null ? "" : `; rule ${Number(d.rule) + 1} matched`}.`);
  if (d.task !== null && d.task.class !== "" && d.task.why !== "") said.push(`The task counts as ${d.task.class}: ${d.task.why}.`);
  const first = d.candidates.find((c) => c.sticky);
  if (first !== undefined) said.push(`The conversation belongs to ${targetName(first, d.candidates)}.`);
  for (const step of d.steps) {
    if (step.what === "failed") said.push(`${whoOf(step, d.candidates) ?? "It"} ${causeWords(step.cause ?? "failed")} after ${duration(step.at_ms)}.`);
    if (step.what === "seam") said.push(`${whoOf(step, d.candidates) ?? "Another"} went on from there.`);
  }
  if (d.budgets.length > 0) said.push(`Nearly used up: ${d.budgets.join(", ")}.`);
  return said;
}

/** What a candidate was weighed by, as small print. */
export function weighed(c: DecisionCandidate): string {
  const parts = [
    c.estimated_cost === null ? "" : `about ${moneyRequest(Number(c.estimated_cost))}`,
    c.ttft_p95_ms === null ? "" : `first token ${duration(c.ttft_p95_ms)} at p95`,
    c.quota_left === null || c.quota_left >= 1 ? "" : `${Math.round(c.quota_left * 100)}% of its limit left`,
    c.sticky ? "the conversation's own" : "",
  ];
  return parts.filter(Boolean).join(", ");
}
