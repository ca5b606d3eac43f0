import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { setBackend } from "../../api";
import { ControlError } from "../../api/backend";
import type { MessageView, WatchItem } from "../../api/bindings";
import { FakeBackend } from "../../test/fake-backend";
import { applyItem, EMPTY_STREAM } from "./stream";
import { follow } from "./streams";

const delta = (seq: number, text: string): WatchItem => ({ seq, kind: "delta", text });
const snapshot = (seq: number, text: string): WatchItem => ({ seq, kind: "snapshot", text });

describe("applying items of a watch", () => {
  it("appends deltas in order, after a snapshot", () => {
    const items = [snapshot(3, "Hel"), delta(4, "lo"), delta(5, " there")];
    const end = items.reduce((s, item) => applyItem(s, item).state, EMPTY_STREAM);
    expect(end).toMatchObject({ seq: 5, text: "Hello there" });
  });

  it("ignores what it has seen and asks again where something is missing", () => {
    const state = applyItem(EMPTY_STREAM, snapshot(5, "abc")).state;
    expect(applyItem(state, delta(5, "c"))).toEqual({ state, gap: false });
    expect(applyItem(state, delta(7, "e"))).toEqual({ state, gap: true });
  });

  it("keeps the latest view of each tool call", () => {
    const first = applyItem(EMPTY_STREAM, { seq: 1, kind: "delta", tool_calls: [{ id: "t", name: "read", arguments: '{"a' }] }).state;
    const second = applyItem(first, { seq: 2, kind: "delta", tool_calls: [{ id: "t", name: "read", arguments: '{"a":1}' }, { id: "u", name: "list", arguments: "{}" }] }).state;
    expect(second.toolCalls.map((c) => c.arguments)).toEqual(['{"a":1}', "{}"]);
  });

  it("ends with the whole text whatever is lost or repeated, given snapshots at gaps", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 5 }), { maxLength: 30 }), fc.array(fc.constantFrom("ok", "lost", "twice"), { minLength: 30, maxLength: 30 }), (parts, fate) => {
        const upTo = (n: number) => parts.slice(0, n).join("");
        let state = applyItem(EMPTY_STREAM, snapshot(0, "")).state;
        parts.forEach((part, i) => {
          const sends = fate[i] === "lost" ? 0 : fate[i] === "twice" ? 2 : 1;
          for (let n = 0; n < sends; n += 1) {
            const step = applyItem(state, delta(i + 1, part));
            state = step.gap ? applyItem(state, snapshot(i + 1, upTo(i + 1))).state : step.state;
          }
          expect(state.text).toBe(upTo(state.seq));
        });
      }),
    );
  });
});

describe("following an answer", () => {
  afterEach(() => vi.useRealTimers());
  const final = (text: string): MessageView => ({ id: "x", chat_id: "c", parent_id: null, role: "assistant", text, reasoning: "", tool_calls: [], model: null, state: "complete", error: null, created_at: 0, request_id: null, receipt: null });

  it("asks for all of it again after a gap, and settles once", () => {
    const core = new FakeBackend();
    setBackend(core);
    const settled: (MessageView | null)[] = [];
    follow("gap", (m) => settled.push(m));
    core.emit("gap", snapshot(1, "a"));
    core.emit("gap", delta(3, "c"));
    expect(core.watchers.map((w) => w.since)).toEqual([0]);
    core.emit("gap", snapshot(3, "abc"));
    core.emit("gap", { seq: 4, kind: "end", message: final("abc") });
    expect(settled.map((m) => m?.text)).toEqual(["abc"]);
    expect(core.watchers).toEqual([]);
  });

  it("comes back after a lost connection from where it was", () => {
    vi.useFakeTimers();
    const core = new FakeBackend();
    setBackend(core);
    const stop = follow("lost", () => {});
    core.emit("lost", snapshot(7, "so far"));
    core.watchers[0]?.onLost(new ControlError("disconnected", "gone"));
    vi.runOnlyPendingTimers();
    expect(core.watchers.map((w) => w.since)).toEqual([7]);
    stop();
    expect(core.watchers).toEqual([]);
  });

  it("reads the chat again when the core no longer knows the stream", () => {
    const core = new FakeBackend();
    setBackend(core);
    const settled: (MessageView | null)[] = [];
    follow("gone", (m) => settled.push(m));
    core.watchers[0]?.onLost(new ControlError("not_found", "no such stream"));
    expect(settled).toEqual([null]);
  });
});
