import { afterEach, describe, expect, it } from "vitest";
import { ACTIONS } from "./actions";
import { onAction } from "./bus";
import { actionFor } from "./keys";

const press = (init: KeyboardEventInit, target?: HTMLElement): KeyboardEvent => {
  const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
  (target ?? document.body).dispatchEvent(event);
  return event;
};

describe("the list of actions", () => {
  afterEach(() => document.body.replaceChildren());

  it("has each id once and each shortcut once", () => {
    const ids = ACTIONS.map((a) => a.id);
    const keys = ACTIONS.flatMap((a) => a.shortcuts.map((s) => JSON.stringify([s.key, s.mod ?? false, s.shift ?? false, s.alt ?? false])));
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("answers to Ctrl and to Cmd", () => {
    expect(actionFor(press({ key: "k", ctrlKey: true }))?.id).toBe("palette");
    expect(actionFor(press({ key: "K", metaKey: true }))?.id).toBe("palette");
    expect(actionFor(press({ key: "2", ctrlKey: true }))?.id).toBe("go-health");
  });

  it("leaves bare keys to whoever is typing", () => {
    const field = document.createElement("textarea");
    document.body.append(field);
    expect(actionFor(press({ key: "?", shiftKey: true }, field))).toBeNull();
    expect(actionFor(press({ key: "?", shiftKey: true }))?.id).toBe("shortcuts");
  });

  it("offers what a part does only while that part is there", () => {
    expect(actionFor(press({ key: "Escape" }))).toBeNull();
    const off = onAction("stop", () => {});
    expect(actionFor(press({ key: "Escape" }))?.id).toBe("stop");
    off();
    expect(actionFor(press({ key: "Escape" }))).toBeNull();
  });
});
