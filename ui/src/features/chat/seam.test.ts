import { describe, expect, it } from "vitest";
import type { Decision, DecisionStep } from "../../api/bindings";
import { seamOf } from "./seam";

const step = (what: string, model: string, more: Partial<DecisionStep> = {}): DecisionStep =>
  ({ at_ms: 0, what, provider: "p", model, why: null, against: null, cause: null, wait_ms: null, at_chars: null, ...more }) as DecisionStep;

const decision = (steps: DecisionStep[]): Decision => ({ route: "deep", strategy: "priority", task: null, rule: null, candidates: [], steps, budgets: [] }) as unknown as Decision;

describe("a seam", () => {
  it("says who broke off, where, and who went on", () => {
    const steps = [step("asked", "large"), step("failed", "large", { cause: "broke" }), step("asked", "steady"), step("seam", "steady", { at_chars: 1204 }), step("answered", "steady")];
    expect(seamOf(decision(steps))).toBe("large broke off in mid-answer after 1,204 characters; steady went on from there.");
  });

  it("is not there where one model answered, or none was asked", () => {
    expect(seamOf(decision([step("asked", "large"), step("answered", "large")]))).toBeNull();
    expect(seamOf(null)).toBeNull();
  });
});
