import { describe, expect, it } from "vitest";
import type { HealthRow } from "../api/bindings";
import { answeredWords } from "./health";

const row = (requests: number, answered: number, refused: number, errors: number) => ({ requests, answered, refused, errors }) as HealthRow;

describe("the headline of health", () => {
  it("says where all requests went, and leaves out what did not happen", () => {
    expect(answeredWords([])).toBe("no requests");
    expect(answeredWords([row(1, 1, 0, 0)])).toBe("1 of 1 request");
    expect(answeredWords([row(10, 5, 1, 2), row(4, 4, 0, 0)])).toBe("9 of 14 requests, 2 failed, 1 refused, 2 stopped or running");
  });
});
