import { describe, expect, it } from "vitest";
import type { MessageState, MessageView } from "../../api/bindings";
import { endNote } from "./end-note";

const of = (state: MessageState, rest: Partial<MessageView> = {}): MessageView => ({ id: "m", chat_id: "c", parent_id: null, role: "assistant", text: "words", reasoning: "", tool_calls: [], model: null, state, error: null, created_at: 0, request_id: null, receipt: null, ...rest });

describe("the line under an answer that did not end by itself", () => {
  it("is absent under one that did", () => expect(endNote(of("complete"))).toBeNull());
  it("gives the reason and what to do", () => {
    expect(endNote(of("failed", { text: "", error: { kind: "rate_limited", message: "Groq is out of requests (429)." } }))?.text).toBe("Groq is out of requests (429). Nothing was written. Wait a moment and regenerate, or choose another model.");
    expect(endNote(of("truncated"))?.text).toContain("regenerate");
    expect(endNote(of("interrupted"))?.text).toContain("What had arrived is kept");
  });
  it("says what a stop cost", () => {
    const receipt = { request_id: "r", route: null, provider: null, model: null, attempts: 1, time_to_first_token_ms: 1, duration_ms: 2000, tokens_per_second: null, usage: { input: 1, cache_read: 0, cache_write: 0, output: 80, reasoning: 0 }, cost_picousd: 1, cost_status: "computed" as const, finish_reason: null };
    expect(endNote(of("stopped", { receipt }))?.text).toBe("Stopped after 2.00 s. 80 tokens were paid for and are kept.");
    expect(endNote(of("stopped", { text: "" }))?.text).toBe("Stopped, before the first token.");
  });
  it("does not let an empty answer pass in silence", () => expect(endNote(of("complete", { text: "" }))?.text).toContain("empty answer"));
});
