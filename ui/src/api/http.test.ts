import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ControlError } from "./backend";
import { HttpBackend, takeToken } from "./http";
import { SseParser } from "./sse";

afterEach(() => vi.restoreAllMocks());

describe("server-sent events", () => {
  const TEXT = ": hello\r\nevent: a\ndata: 1\ndata: 2\n\n\ndata:{\"x\":1}\r\n\r\nid: 7\ndata\n\nevent: b\n\ndata: end\r\r";
  const whole = new SseParser().push(`${TEXT}\n`);

  it("are read with their names and joined lines", () => {
    expect(whole).toEqual([
      { event: "a", data: "1\n2" },
      { event: "message", data: '{"x":1}' },
      { event: "message", data: "" },
      { event: "message", data: "end" },
    ]);
  });

  it("do not depend on where the bytes are cut", () => {
    fc.assert(fc.property(fc.array(fc.nat(TEXT.length), { maxLength: 8 }), (cuts) => {
      const parser = new SseParser();
      const at = [0, ...cuts.sort((a, b) => a - b), TEXT.length + 1];
      const frames = at.slice(1).flatMap((end, i) => parser.push(`${TEXT}\n`.slice(at[i], end)));
      expect(frames).toEqual(whole);
    }));
  });
});

describe("the token", () => {
  it("leaves the address and stays for the tab", () => {
    window.location.hash = "#token=se%2Fcret";
    const storage = window.sessionStorage;
    expect(takeToken(window.location, window.history, storage)).toBe("se/cret");
    expect(window.location.hash).toBe("#/");
    expect(takeToken(window.location, window.history, storage)).toBe("se/cret");
    storage.clear();
  });

  it("is sent as a header, never in an address", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("[]"));
    await new HttpBackend("t0ken").call("models.list", {});
    const [url, init] = fetched.mock.calls[0] ?? [];
    expect(url).toBe("/control/models.list");
    expect(new Headers(init?.headers).get("authorization")).toBe("Bearer t0ken");
  });
});

describe("refusals", () => {
  const answer = (status: number, body: string) => vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(body, { status }));

  it("keep the core’s kind and sentence", async () => {
    answer(404, '{"error":{"kind":"not_found","message":"There is no chat \\"x\\"."}}');
    await expect(new HttpBackend("t").call("chats.get", { id: "x" })).rejects.toMatchObject({ kind: "not_found", message: 'There is no chat "x".' });
  });

  it("say what to do about a missing token, and about a core that is gone", async () => {
    answer(401, "");
    await expect(new HttpBackend(null).call("chats.get", { id: "x" })).rejects.toMatchObject({ kind: "unauthorized" });
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("failed to fetch"));
    await expect(new HttpBackend("t").call("chats.get", { id: "x" })).rejects.toMatchObject({ kind: "unreachable" });
  });

  it("are errors of one kind whatever was thrown", () => {
    expect(ControlError.from("boom")).toMatchObject({ kind: "internal", message: "boom" });
    expect(ControlError.from({ kind: "busy", message: "wait" })).toMatchObject({ kind: "busy", message: "wait" });
  });
});
