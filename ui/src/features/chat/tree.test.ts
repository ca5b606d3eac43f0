import { describe, expect, it } from "vitest";
import type { MessageView } from "../../api/bindings";
import { chatCost, choose, pathOf } from "./tree";

const message = (id: string, parent: string | null, at: number, rest: Partial<MessageView> = {}): MessageView => ({ id, chat_id: "c", parent_id: parent, role: "assistant", text: id, reasoning: "", tool_calls: [], model: null, state: "complete", error: null, created_at: at, request_id: null, receipt: null, ...rest });

const TREE = [message("q", null, 1), message("a1", "q", 2), message("a2", "q", 3), message("b1", "a1", 4), message("q2", null, 9)];

describe("the path through a conversation", () => {
  it("takes the newest version at each fork", () => {
    expect(pathOf(TREE, {}).map((n) => n.message.id)).toEqual(["q2"]);
  });

  it("follows the versions chosen, and keeps all others", () => {
    const chosen = choose(choose({}, { id: "q", parent_id: null }), { id: "a1", parent_id: "q" });
    const path = pathOf(TREE, chosen);
    expect(path.map((n) => n.message.id)).toEqual(["q", "a1", "b1"]);
    expect(path.map((n) => `${n.index + 1} / ${n.siblings.length}`)).toEqual(["1 / 2", "1 / 2", "1 / 1"]);
  });

  it("ends on data that runs in a circle", () => {
    expect(pathOf([message("x", null, 1), message("y", "x", 2), message("x", "y", 3)], {}).length).toBeLessThanOrEqual(3);
  });

  it("counts every version into the chat’s cost, and unknown apart", () => {
    const receipt = (cost: number | null) => ({ request_id: "r", route: null, provider: null, model: null, attempts: 1, time_to_first_token_ms: null, duration_ms: null, tokens_per_second: null, usage: null, cost_picousd: cost, cost_status: cost === null ? ("unknown" as const) : ("computed" as const), finish_reason: null });
    expect(chatCost([message("a", null, 1, { receipt: receipt(5) }), message("b", null, 2, { receipt: receipt(null) }), message("c", null, 3)])).toEqual({ picousd: 5, unknown: 1, priced: 1 });
  });
});
