import { describe, expect, it } from "vitest";
import type { ConditionView, RouteTargetView, RouteView } from "../../api/bindings";
import { conditionWords, listed, partsOf, routeWords, takenWhen } from "./words";

const NOTHING: ConditionView = { models: [], clients: [], tags: [], tasks: [], min_input_tokens: null, max_input_tokens: null, tools: null, images: null, schema: null, code: null };
const target = (model: string, over: Partial<RouteTargetView> = {}): RouteTargetView => ({ provider: "p", model, weight: 1, tier: null, only_after: [], when: null, ...over });
const route = (over: Partial<RouteView>): RouteView => ({
  name: "deep", strategy: "priority", targets: [target("sonnet"), target("gpt")], rules: [], tiers: false, sticky_ms: null, hedge: null, hold_chars: 0, hold_ms: null, on_break: "end", total_ms: null, first_content_ms: null, tool_check: null, output_check: null, budgets: [], ...over,
});
const said = (over: Partial<RouteView>): string => routeWords(route(over)).join("\n").replaceAll("**", "");

describe("a route in plain words", () => {
  it("says where requests go and who takes over", () => {
    expect(said({ targets: [target("sonnet")] })).toContain("Every request goes to sonnet.");
    expect(said({})).toContain("Every request goes to sonnet. If that is limited, broken or slow, gpt takes over.");
    expect(said({ targets: [target("a"), target("b"), target("c")] })).toContain("b then c take over");
  });

  it("names the provider too where two have the same model", () => {
    expect(said({ targets: [target("sonnet"), target("sonnet", { provider: "q" }), target("gpt")] })).toContain("Every request goes to p/sonnet. If that is limited, broken or slow, q/sonnet then gpt take over.");
  });

  it("says the rules before everything else", () => {
    const long = { ...NOTHING, min_input_tokens: 400_000 };
    const words = said({ targets: [target("gemini"), target("sonnet"), target("grok", { only_after: ["content_filtered"] })], rules: [{ when: long, targets: [0], tier: null }] });
    expect(words).toContain("A request of 400,000 tokens or more goes to gemini first. Everything else goes to gemini.");
    expect(words).toContain("grok is asked only after an answer was refused or filtered.");
    expect(said({ rules: [{ when: { ...NOTHING, tasks: ["simple"] }, targets: [], tier: "cheap" }] })).toContain("A request for simple tasks goes to the targets for cheap tasks.");
  });

  it("has a sentence for every strategy", () => {
    for (const strategy of ["priority", "weighted", "lowest-cost", "lowest-latency", "least-busy", "remaining-quota", "capability", "score"]) {
      expect(said({ strategy }), strategy).toMatch(/Every request goes .*sonnet.*gpt/);
    }
    expect(said({ strategy: "weighted", targets: [target("a", { weight: 3 }), target("b")] })).toContain("a (75%) and b (25%)");
  });

  it("says what happens when it is slow, breaks, or costs too much", () => {
    const words = said({
      on_break: "continue", first_content_ms: 8_000, total_ms: 60_000, sticky_ms: 600_000, hold_chars: 200, hedge: { is_p95: false, after_ms: 2_000, share: null },
      budgets: [{ name: "daily", amount_picousd: 8e12, per: "day", then: "downgrade", then_route: "cheap" }],
    });
    expect(words).toContain("No first token within 8 s counts as slow.");
    expect(words).toContain("has said nothing for 2 s, a second is asked beside it");
    expect(words).toContain("After 1 min in all the client gets an error.");
    expect(words).toContain("goes on from what was said");
    expect(words).toContain("The first 200 characters are held back");
    expect(words).toContain("stays with its target until it has rested for 10 min");
    expect(words).toContain("Above $8.00 in a day, new requests use cheap.");
  });

  it("puts every part of a condition into words", () => {
    const all: ConditionView = { models: ["gpt-*"], clients: ["codex", "aider"], tags: ["night"], tasks: ["complex"], min_input_tokens: 10, max_input_tokens: 2_000, tools: true, images: false, schema: true, code: true };
    expect(conditionWords(all).replaceAll("**", "")).toBe("of 10 to 2,000 tokens for hard tasks with tools and code without images that wants an answer in a given form asked for as gpt-* from codex or aider tagged night");
    expect(conditionWords(NOTHING)).toBe("");
  });

  it("says of each target when it is asked", () => {
    const r = route({ targets: [target("a"), target("b"), target("c", { only_after: ["slow", "broke"] }), target("d", { when: { ...NOTHING, images: true } })] });
    expect([0, 1, 2, 3].map((i) => takenWhen(r, i))).toEqual(["first", "if those before it cannot", "after: slow, broken off", "only with images"]);
    expect(takenWhen(route({ strategy: "score" }), 0)).toBe("by the strategy");
  });

  it("keeps what stands out apart", () => {
    expect(partsOf("to **gpt** first")).toEqual([{ text: "to ", isStrong: false }, { text: "gpt", isStrong: true }, { text: " first", isStrong: false }]);
    expect(listed(["a", "b", "c"], "or")).toBe("a, b or c");
  });
});
