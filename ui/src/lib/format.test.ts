import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ago, count, dayLabel, duration, moneyLine, moneyOf, moneyRequest, moneySum, moneyTick, percent, pricePerMTok, rate, seconds, tokens, when, windowSize } from "./format";

const USD = 1e12;

describe("money", () => {
  it("is to the cent in sums, four digits per request, six in cost lines", () => {
    expect(moneySum(148.2 * USD)).toBe("$148.20");
    expect(moneyRequest(19_700_000_000)).toBe("$0.0197");
    expect(moneyLine(8_868_000_000)).toBe("$0.008868");
    expect(moneySum(1_234_567.891 * USD)).toBe("$1,234,567.89");
  });

  it("calls what is not known unknown, and never $0", () => {
    for (const write of [moneySum, moneyRequest, moneyLine]) {
      expect(write(null)).toBe("unknown");
      expect(write(undefined)).toBe("unknown");
      expect(write(Number.NaN)).toBe("unknown");
    }
  });

  it("shows $0 only for exactly nothing", () => {
    expect(moneySum(0)).toBe("$0.00");
    expect(moneyRequest(0)).toBe("$0");
    expect(moneyRequest(1)).toBe("<$0.0001");
    fc.assert(fc.property(fc.integer({ min: 1, max: 9e15 }), (p) => {
      expect(moneyRequest(p)).not.toMatch(/^\$0(\.0*)?$/);
      expect(moneySum(p)).not.toMatch(/^\$0(\.0*)?$/);
    }));
  });

  it("takes integers wider than a double as bigint, to the cent", () => {
    expect(moneySum(9_223_372_036_854_775_807n)).toBe("$9,223,372.04");
  });

  it("rounds by less than half of its last digit", () => {
    fc.assert(fc.property(fc.integer({ min: 100_000_000, max: 9e15 }), (p) => {
      const shown = Number(moneyRequest(p).replace(/[$,]/g, ""));
      expect(Math.abs(shown - p / USD)).toBeLessThanOrEqual(0.00005 + 1e-9);
    }));
  });

  it("calls a sum unknown where no request in it has a price above nothing, and never before there is one", () => {
    expect(moneyOf(0, 7, 7)).toBe("unknown");
    // One that was free beside six that are unknown: nothing would look like a price.
    expect(moneyOf(0, 7, 6)).toBe("unknown");
    expect(moneyOf(5e9, 7, 6)).not.toBe("unknown");
    expect(moneyOf(0, 0, 0)).toBe("$0.00");
  });

  it("labels axes without needless digits", () => {
    expect([0, 3, 12, 0.5, 0.02, 4e-7].map(moneyTick)).toEqual(["$0", "$3", "$12", "$0.50", "$0.020", "$0.00000040"]);
  });

  it("reads list prices as decimals", () => {
    expect(["3", "2.5", "0.075", "0", null, "?"].map((p) => pricePerMTok(p))).toEqual(["$3.00", "$2.50", "$0.075", "$0", "unknown", "unknown"]);
  });
});

describe("figures", () => {
  it("keep their unit after a space", () => {
    expect([840, 12_340, 125_000, null].map((ms) => duration(ms))).toEqual(["0.84 s", "12.3 s", "2 min 5 s", "unknown"]);
    expect([840, 17_200, null].map((ms) => seconds(ms))).toEqual(["0.84", "17.2", "–"]);
    expect([71.4, 6.25, null].map(rate)).toEqual(["71", "6.3", "–"]);
    expect(windowSize(272_000)).toBe("272 k");
    expect(windowSize(1_050_000)).toBe("1.1 M");
    expect(percent(0.017)).toBe("1.7");
    expect(count(15_603)).toBe("15,603");
  });

  it("shorten tokens to about three digits", () => {
    expect([0, 9_999, 31_240, 2_600_000, 214_000_000].map((n) => tokens(n))).toEqual([
      { figure: "0", unit: "" },
      { figure: "9,999", unit: "" },
      { figure: "31.2", unit: "k" },
      { figure: "2.6", unit: "M" },
      { figure: "214", unit: "M" },
    ]);
  });
});

describe("times", () => {
  const now = new Date(2026, 10, 20, 14, 32).getTime();
  it("are relative under a day", () => {
    expect(ago(now - 20_000, now)).toBe("just now");
    expect(ago(now - 120_000, now)).toBe("2 min ago");
    expect(ago(now - 3 * 3_600_000, now)).toBe("3 h ago");
    expect(ago(new Date(2026, 10, 12, 9, 0).getTime(), now)).toBe("12 Nov");
  });

  it("are the clock today, the weekday this week, the date before", () => {
    expect(when(new Date(2026, 10, 20, 9, 5).getTime(), now)).toBe("09:05");
    expect(when(new Date(2026, 10, 18, 9, 5).getTime(), now)).toBe("Wed");
    expect(when(new Date(2025, 10, 9, 9, 5).getTime(), now)).toBe("9 Nov 2025");
    expect(dayLabel("2026-11-01")).toBe("1 Nov");
  });
});
