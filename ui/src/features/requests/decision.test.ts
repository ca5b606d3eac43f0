import { describe, expect, it } from "vitest";
import type { Decision, DecisionCandidate, DecisionStep } from "../../api/bindings";
import { againstWords, fateOf, stepState, stepWords, summary, weighed } from "./decision";

const step = (over: Partial<DecisionStep>): DecisionStep => ({ at_ms: 640, what: "asked", provider: "anthropic", model: "sonnet", why: null, against: null, cause: null, wait_ms: null, at_chars: null, ...over });
const candidate = (over: Partial<DecisionCandidate>): DecisionCandidate => ({ provider: "anthropic", model: "sonnet", rank: 1, why: null, score: null, estimated_cost: null, ttft_p95_ms: null, quota_left: null, sticky: false, ...over });
const decision: Decision = {
  route: "deep", strategy: "priority", task: { class: "complex", why: "it brings 14 tools" }, rule: 1, budgets: ["daily"],
  candidates: [candidate({}), candidate({ provider: "openai", model: "gpt", rank: 2 }), candidate({ provider: "groq", model: "oss", rank: null, why: "circuit_open" }), candidate({ provider: "xai", model: "grok", rank: 3 })],
  steps: [step({ at_ms: 0, why: "first" }), step({ what: "failed", cause: "rate_limited" }), step({ what: "asked", provider: "openai", model: "gpt", why: "failover" }), step({ what: "answered", provider: "openai", model: "gpt" })],
};

describe("a decision in plain words", () => {
  it("says what became of each candidate", () => {
    expect(decision.candidates.map((c) => fateOf(c, decision))).toEqual(["tried first, was at its limit", "tried second, answered", "left out: its circuit is open", "not needed"]);
  });

  it("says what happened, step by step, with its cause", () => {
    expect(decision.steps.map((s) => stepWords(s, decision.candidates))).toEqual(["sonnet asked first", "sonnet was at its limit", "gpt asked instead", "gpt answered"]);
    expect(stepWords(step({ what: "waited", wait_ms: 400, against: "limited" }), [])).toBe("waited 0.40 s for sonnet: its limit leaves no room now");
    expect(stepWords(step({ what: "seam", at_chars: 1200 }), [])).toBe("sonnet went on after 1,200 characters");
    expect(stepWords(step({ what: "gave_up", provider: null, model: null, against: "budget" }), [])).toBe("gave up: a budget does not allow it");
    expect(stepState(step({ what: "failed" }))).toBe("open");
    expect(stepState(step({}))).toBeNull();
  });

  it("tells the whole in a few sentences", () => {
    expect(summary(decision)).toEqual(["Route deep, by priority; rule 2 matched.", "The task counts as complex: it brings 14 tools.", "sonnet was at its limit after 0.64 s.", "Nearly used up: daily."]);
    expect(summary({ ...decision, route: "", rule: null, strategy: "", task: null, steps: [], budgets: [] })).toEqual(["The model was asked for by its own name."]);
  });

  it("names the provider too where two have the same model", () => {
    const twins = [candidate({ sticky: true }), candidate({ provider: "bedrock" }), candidate({ provider: "openai", model: "gpt" })];
    expect(stepWords(step({}), twins)).toBe("anthropic/sonnet asked first");
    expect(stepWords(step({ provider: "openai", model: "gpt" }), twins)).toBe("gpt asked first");
    const said = summary({ ...decision, candidates: twins, steps: [step({ what: "failed", cause: "failed" }), step({ what: "seam", provider: "bedrock" })] });
    expect(said).toContain("The conversation belongs to anthropic/sonnet.");
    expect(said).toContain("anthropic/sonnet failed after 0.64 s.");
    expect(said).toContain("bedrock/sonnet went on from there.");
  });

  it("shows a code that it does not know as words", () => {
    expect(againstWords("on_holiday")).toBe("on holiday");
    expect(stepWords(step({ what: "danced_off" }), [])).toBe("sonnet danced off");
  });

  it("names what a candidate was weighed by", () => {
    expect(weighed(candidate({ estimated_cost: "18400000000", ttft_p95_ms: 1_210, quota_left: 0.62, sticky: true }))).toBe("about $0.0184, first token 1.21 s at p95, 62% of its limit left, the conversation's own");
    expect(weighed(candidate({ quota_left: 1 }))).toBe("");
  });
});
