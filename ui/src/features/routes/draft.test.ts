import { describe, expect, it } from "vitest";
import type { RouteView } from "../../api/bindings";
import { changesOf, draftOf, isChanged, moved, spanOf, spanText, withFields } from "./draft";

const target = (model: string) => ({ provider: "p", model, weight: 2, tier: null, only_after: [], when: null });
const route: RouteView = {
  name: "deep", strategy: "priority", targets: [target("a"), target("b")], rules: [{ when: { models: [], clients: [], tags: [], tasks: [], min_input_tokens: 9, max_input_tokens: null, tools: null, images: null, schema: null, code: null }, targets: [1], tier: null }],
  tiers: false, sticky_ms: 600_000, hedge: { is_p95: false, after_ms: null, share: 0.25 }, hold_chars: 0, hold_ms: null, on_break: "end", total_ms: null, first_content_ms: 1_500, tool_check: null, output_check: "repair", budgets: [],
};

describe("a route that is edited", () => {
  it("is unchanged until something is changed, and sends only that", () => {
    const saved = draftOf(route);
    expect([saved.sticky, saved.hedge, saved.firstContent, saved.total]).toEqual(["10m", "25%", "1500ms", ""]);
    expect(isChanged(saved, withFields(saved, { sticky: "10m " }))).toBe(false);
    const draft = withFields(saved, { strategy: "score", sticky: "", hedge: "p95", targets: moved(saved.targets, 1, 0) });
    expect(isChanged(saved, draft)).toBe(true);
    expect(changesOf("deep", saved, draft)).toEqual({ name: "deep", strategy: "score", sticky: "", hedge: "p95", targets: [{ provider: "p", model: "b" }, { provider: "p", model: "a" }] });
    expect(changesOf("deep", saved, saved)).toEqual({ name: "deep" });
  });

  it("shows the rules at their targets' new places", () => {
    const saved = draftOf(route);
    const shown = withFields(saved, { targets: moved(saved.targets, 1, 0) }).shown(route);
    expect(shown.rules?.[0]?.targets).toEqual([0]);
    expect(withFields(saved, { targets: saved.targets.slice(0, 1) }).shown(route).rules?.[0]?.targets).toEqual([]);
    expect(withFields(saved, { hedge: "2s" }).shown(route).hedge).toEqual({ is_p95: false, after_ms: 2_000, share: null });
  });

  it("writes durations as the settings do, and reads them again", () => {
    for (const [ms, text] of [[600_000, "10m"], [90_000, "90s"], [3_600_000, "1h"], [250, "250ms"]] as const) {
      expect(spanText(ms)).toBe(text);
      expect(spanOf(text)).toBe(ms);
    }
    expect(spanText(null)).toBe("");
    expect(spanOf("soon")).toBeNull();
  });
});
