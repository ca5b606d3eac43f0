import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SpendSummary } from "../../api/bindings";
import { axisWidth, barsOf, OTHER, seriesOf, ticksFor } from "./model";

const group = (key: string, cost: number, unknown = 0) => ({ key, cost_picousd: cost, requests: 1, input_tokens: 1, output_tokens: 1, cache_read_tokens: 0, unknown });

function summary(costs: number[]): SpendSummary {
  const groups = costs.map((cost, i) => group(`p${i}`, cost, cost === 0 ? 1 : 0));
  return { today_picousd: 0, month_picousd: 0, today_unknown: 0, month_unknown: 0, today_requests: 0, month_requests: 0, days: [{ date: "2026-11-20", groups }], totals: groups };
}

describe("the bars of spend", () => {
  it("add up to the day’s sum, whatever is folded into the rest", () => {
    fc.assert(fc.property(fc.array(fc.nat(1e9), { maxLength: 20 }), (costs) => {
      const data = summary(costs);
      const [bar] = barsOf(data, seriesOf(data.totals));
      expect(bar?.parts.reduce((n, p) => n + p.picousd, 0)).toBe(costs.reduce((a, b) => a + b, 0));
      expect(bar?.total).toBe(costs.reduce((a, b) => a + b, 0));
    }));
  });

  it("tell seven groups apart and fold the others", () => {
    const series = seriesOf(summary([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]).totals);
    expect(series.map((s) => s.key)).toEqual(["p0", "p1", "p2", "p3", "p4", "p5", "p6", OTHER]);
  });

  it("stand on a scale that holds them, in a few even steps", () => {
    fc.assert(fc.property(fc.double({ min: 1e-6, max: 1e5, noNaN: true }), (max) => {
      const ticks = ticksFor(max);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(max * 0.999);
      expect(ticks.length).toBeLessThanOrEqual(7);
    }));
    expect(ticksFor(11.2)).toEqual([0, 3, 6, 9, 12]);
    expect(ticksFor(0)).toEqual([0, 1]);
  });
});

describe("axisWidth", () => {
  it("leaves room for the long labels of small sums, and none to spare for others", () => {
    expect(axisWidth(["$0", "$3"])).toBe(46);
    expect(axisWidth(["$0", "$0.000015"])).toBeGreaterThan("$0.000015".length * 6);
  });
});
