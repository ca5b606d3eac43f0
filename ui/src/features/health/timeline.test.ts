import { describe, expect, it } from "vitest";
import type { HealthRow, Switch } from "../../api/bindings";
import { causeOf, lanesOf, runsOf, wavesOf } from "./timeline";

const row = (provider: string, asked: number[], failed: number[]): HealthRow => ({ provider, model: "m", requests: asked.reduce((a, b) => a + b, 0), sparkline: asked, error_sparkline: failed }) as HealthRow;
const change = (at: number, over: Partial<Switch> = {}): Switch => ({ request_id: `r${at}`, at, from_provider: "groq", from_model: "oss", to_provider: "google", to_model: "flash", reason: "failover", error_kind: "rate_limited", error_message: null, http_status: 429, after_ms: 5, is_saved: true, ...over });
const MINUTE = 60_000;

describe("the failover timeline", () => {
  it("has a lane per provider that was asked, with the state of each part", () => {
    const lanes = lanesOf([row("groq", [0, 10, 10, 2], [0, 0, 1, 1]), row("groq", [0, 0, 10, 0], [0, 0, 1, 0]), row("idle", [0, 0, 0, 0], [])], [change(1, { to_provider: "gone" })]);
    expect(lanes).toEqual([
      { provider: "gone", parts: ["none", "none", "none", "none"] },
      { provider: "groq", parts: ["none", "ok", "degraded", "failing"] },
    ]);
    expect(runsOf(["none", "ok", "ok", "failing"])).toEqual([{ state: "none", from: 0, to: 1 }, { state: "ok", from: 1, to: 3 }, { state: "failing", from: 3, to: 4 }]);
  });

  it("tells switches of one kind that come together as one, the newest first", () => {
    const waves = wavesOf([change(20 * MINUTE), change(1 * MINUTE), change(5 * MINUTE, { is_saved: false }), change(2 * MINUTE, { error_kind: "timeout", http_status: null })]);
    expect(waves.map((w) => [w.from, w.to, w.cause, w.count, w.saved, w.last / MINUTE])).toEqual([
      ["groq", "google", "rate limited (429)", 1, 1, 20],
      ["groq", "google", "rate limited (429)", 2, 1, 5],
      ["groq", "google", "timeout", 1, 1, 2],
    ]);
    expect(wavesOf([change(1, { to_provider: "groq", to_model: "small" })])[0]).toMatchObject({ from: "oss", to: "small" });
  });

  it("names the cause of a switch without an error", () => {
    expect(causeOf(change(1, { error_kind: null, http_status: null, reason: "hedge" }))).toBe("slow to its first token");
    expect(causeOf(change(1, { error_kind: "cancelled", http_status: null, reason: "hedge" }))).toBe("slow to its first token");
    expect(causeOf(change(1, { error_kind: null, http_status: 200, reason: "check" }))).toBe("its answer failed a check");
    expect(causeOf(change(1, { error_kind: null, http_status: null, reason: null }))).toBe("unknown");
  });
});
