import { describe, expect, it } from "vitest";
import { isSendKey } from "./composing";

const enter = { key: "Enter", shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, keyCode: 13 };

describe("the key that sends", () => {
  it("is Enter", () => expect(isSendKey(enter)).toBe(true));
  it("is not Shift Enter", () => expect(isSendKey({ ...enter, shiftKey: true })).toBe(false));
  it("is not the Enter that chooses a character", () => {
    expect(isSendKey({ ...enter, nativeEvent: { isComposing: true } })).toBe(false);
    expect(isSendKey({ ...enter, isComposing: true })).toBe(false);
  });
  it("is not the Enter that WebKit sends when the composition has just ended", () => expect(isSendKey({ ...enter, keyCode: 229 })).toBe(false));
});
