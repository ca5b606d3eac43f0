import type { Decision } from "../../api/bindings";
import { plural } from "../../lib/format";
import { causeWords } from "../requests/decision";

/** Who broke off, where, and who went on; `null` where the answer is one model's. */
export function seamOf(decision: Decision | null): string | null {
  const at = decision?.steps.findLastIndex((step) => step.what === "seam") ?? -1;
  const seam = decision?.steps[at];
  if (decision === null || seam === undefined) return null;
  const broke = decision.steps.slice(0, at).findLast((step) => step.what === "failed");
  const who = broke?.model ?? "The first model";
  const what = causeWords(broke?.cause ?? "broke");
  const chars = seam.at_chars === null ? "" : ` after ${plural(Number(seam.at_chars), "character")}`;
  return `${who} ${what}${chars}; ${seam.model ?? "another"} went on from there.`;
}
