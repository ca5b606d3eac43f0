import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RequestLine } from "../../api/bindings";
import { compare, EMPTY, inView, type Log, withChanged, withNewest, withOlder } from "./log";

const line = (n: number, status = "ok"): RequestLine => ({
  id: String(n).padStart(6, "0"), started_at: Math.floor(n / 3), status, client: null, dialect: "chat", operation: "chat", route: null, request_model: "m", stream: true, provider: "p", model: "m", attempts: 1, switches: 0,
  http_status: 200, error_kind: null, time_to_first_token_ms: 1, duration_ms: 2, input_tokens: 1, output_tokens: 1, cost_picousd: 1, cost_status: "computed",
});

/** What the core would answer, where requests 0 to `most` - 1 are in the book. */
function ask(most: number, limit: number, before?: { started_at: number; id: string }) {
  const all = Array.from({ length: most }, (_, n) => line(n)).sort(compare);
  const rest = before ? all.filter((row) => compare(row, before) > 0) : all;
  return { rows: rest.slice(0, limit), has_more: rest.length > limit };
}
const numbers = (log: Log) => log.rows.map((row) => Number(row.id));
const down = (from: number, to: number) => Array.from({ length: from - to }, (_, n) => from - 1 - n);

describe("the log", () => {
  it("lays the newest page over what was read, without a gap or a double", () => {
    let log = withNewest(EMPTY, ask(10, 4));
    expect(numbers(log)).toEqual(down(10, 6));
    const last = log.rows.at(-1) as RequestLine;
    log = withOlder(log, last, ask(10, 4, last));
    expect(numbers(log)).toEqual(down(10, 2));
    log = withNewest(log, ask(12, 4));
    expect(numbers(log)).toEqual(down(12, 2));
    expect(log.hasMore).toBe(true);
  });

  it("stands alone where more came than a page holds", () => {
    const log = withNewest(withNewest(EMPTY, ask(10, 4)), ask(90, 4));
    expect(numbers(log)).toEqual(down(90, 86));
    expect(log.hasMore).toBe(true);
  });

  it("whatever is read when, it is always the newest requests in order", () => {
    fc.assert(fc.property(fc.array(fc.record({ more: fc.nat(9), older: fc.boolean() }), { maxLength: 30 }), (steps) => {
      let most = 5;
      let log = withNewest(EMPTY, ask(most, 4));
      for (const { more, older } of steps) {
        const last = log.rows.at(-1);
        if (older && last) log = withOlder(log, last, ask(most, 4, last));
        else {
          most += more;
          log = withNewest(log, ask(most, 4));
          expect(numbers(log)).toEqual(down(most, most - log.rows.length));
        }
        expect(log.hasMore).toBe(Number(log.rows.at(-1)?.id) > 0);
      }
    }));
  });

  it("leaves a page out that was asked for before the log changed", () => {
    const log = withNewest(EMPTY, ask(10, 4));
    expect(withOlder(log, line(2), ask(10, 4, line(2)))).toBe(log);
  });

  it("takes a row's new state in its place", () => {
    const log = withChanged(withNewest(EMPTY, ask(3, 9)), [line(1, "failed"), line(77)]);
    expect(log.rows.map((row) => row.status)).toEqual(["ok", "failed", "ok"]);
  });

  it("draws what is in view and a little more, and never past the ends", () => {
    expect(inView(0, 500, 25, 100_000)).toEqual({ from: 0, to: 50 });
    expect(inView(1_250_000, 500, 25, 100_000)).toEqual({ from: 49_970, to: 50_050 });
    expect(inView(9e9, 500, 25, 10)).toEqual({ from: 9, to: 10 });
    expect(inView(0, 0, 25, 0)).toEqual({ from: 0, to: 0 });
  });
});
