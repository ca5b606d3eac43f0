import { describe, expect, it } from "vitest";
import { parseSearch, toggleWord, wordsOf } from "./search";

const NOW = new Date(2026, 10, 20, 14, 32, 4).getTime();
const filter = (text: string) => parseSearch(text, NOW).filter;

describe("the search of requests", () => {
  it("makes a term of each field, and of a bare word any text", () => {
    expect(filter('model:gpt -client:cron "rate limit"')).toEqual({
      terms: [
        { field: "model", value: "gpt", is_not: false },
        { field: "client", value: "cron", is_not: true },
        { field: "text", value: "rate limit", is_not: false },
      ],
    });
    expect(filter("status:failed")).toEqual({ terms: [{ field: "outcome", value: "failed", is_not: false }] });
    expect(filter("")).toEqual({});
  });

  it("reads costs in dollars and times by this window's clock", () => {
    expect(filter("cost:>0.1")).toEqual({ cost_over_picousd: 100_000_000_000 });
    expect(filter("since:14:00")).toEqual({ since_at: new Date(2026, 10, 20, 14, 0).getTime() });
    expect(filter("before:2026-11-19")).toEqual({ until_at: new Date(2026, 10, 19).getTime() });
    expect(filter("since:2h")).toEqual({ since_at: NOW - 7_200_000 });
    expect(filter("is:switched")).toEqual({ is_switched: true });
  });

  it("says what is wrong with a word, and follows the others", () => {
    for (const [text, said] of [
      ["modle:gpt", /no “modle:”.*model:/],
      ["cost:0.1", /cost:>0.1/],
      ["since:soon", /since:14:00/],
      ["since:2026-02-31", /since:/],
      ["since:25:00", /since:/],
      ["is:odd", /is:switched/],
      ["-since:14:00", /turned round/],
      ["model:", /lacks/],
    ] as const) {
      const { filter, problems } = parseSearch(`${text} route:deep`, NOW);
      expect(problems, text).toHaveLength(1);
      expect(problems[0]).toMatch(said);
      expect(filter, text).toEqual({ terms: [{ field: "route", value: "deep", is_not: false }] });
    }
  });

  it("keeps quoted words together while they are typed", () => {
    expect(wordsOf('a model:"b c" "d e')).toEqual(["a", 'model:"b c"', '"d e']);
  });

  it("puts a word in and takes it out again", () => {
    expect(toggleWord("route:deep", "status:failed")).toBe("route:deep status:failed");
    expect(toggleWord("status:failed  route:deep", "status:failed")).toBe("route:deep");
  });
});
