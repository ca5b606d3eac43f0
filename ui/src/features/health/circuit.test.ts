import { describe, expect, it } from "vitest";
import type { Limit, Place } from "../../api/bindings";
import { quotaLeft, spanWords, standingOf } from "./circuit";

const place = (over: Partial<Place>): Place => ({ provider: "groq", model: "oss", circuit: "closed", share: null, against: null, opens_in_ms: null, in_flight: 0, is_drained: false, limits: [], ...over });
const limit = (over: Partial<Limit>): Limit => ({ counted: "requests", window_ms: 60_000, most: 100, left: 60, resets_in_ms: 41_000, is_set: false, ...over });

describe("how a target stands", () => {
  it("says what keeps requests away, and counts down", () => {
    const open = place({ circuit: "open", against: "circuit_open", opens_in_ms: 41_000 });
    expect(standingOf(open, undefined, 0)).toEqual({ lamp: "open", words: "open, probe in 41 s" });
    expect(standingOf(open, undefined, 30_500)?.words).toBe("open, probe in 11 s");
    expect(standingOf(open, undefined, 60_000)?.words).toBe("open, probe due");
    expect(standingOf(place({ against: "cooling", opens_in_ms: 600_000 }), undefined, 0)).toEqual({ lamp: "parked", words: "told to wait, 10 min left" });
    expect(standingOf(place({ against: "limited", opens_in_ms: 3_000 }), undefined, 0)).toEqual({ lamp: "degraded", words: "limit used up, free in 3 s" });
    expect(standingOf(place({ circuit: "ramp", share: 0.25 }), undefined, 0)).toEqual({ lamp: "half_open", words: "half-open, 25% of its traffic" });
    expect(standingOf(place({ is_drained: true }), undefined, 0)?.words).toBe("taken out by hand");
  });

  it("says so of the key, where all of the provider is meant", () => {
    expect(standingOf(place({}), place({ model: "", against: "parked", opens_in_ms: 7_200_000 }), 0)).toEqual({ lamp: "parked", words: "key parked, 2 h left" });
  });

  it("says nothing where nothing is in the way", () => {
    expect(standingOf(place({}), undefined, 0)).toBeNull();
    expect(standingOf(undefined, undefined, 0)).toBeNull();
  });

  it("shows the scarcest of each kind, and all in words", () => {
    const of = place({ limits: [limit({}), limit({ window_ms: 86_400_000, most: 1_000, left: 10 }), limit({ counted: "tokens", left: 5 })] });
    const requests = quotaLeft(of, undefined, "requests");
    expect(requests?.share).toBe(0.01);
    expect(requests?.all).toBe("60 of 100 requests a minute left, whole again in 41 s\n10 of 1,000 requests a day left, whole again in 41 s");
    expect(quotaLeft(of, undefined, "tokens")?.share).toBe(0.05);
    expect(quotaLeft(place({}), undefined, "tokens")).toBeNull();
    expect(quotaLeft(place({}), place({ limits: [limit({ most: null, left: 7, resets_in_ms: null, is_set: true })] }), "requests")).toMatchObject({ share: null, all: "7 requests a minute left for the whole key (from the settings)" });
  });

  it("rounds a span to what one reads", () => {
    expect([900, 119_000, 120_000, 7_200_000, 200_000_000].map(spanWords)).toEqual(["1 s", "119 s", "2 min", "2 h", "2 d"]);
  });
});
