import { QueryClientProvider } from "@tanstack/react-query";
import { createEvent, fireEvent, render, screen } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { setBackend } from "../../api";
import { queryClient } from "../../api/queries";
import { FakeBackend } from "../../test/fake-backend";
import { Composer } from "./Composer";

function composer(over: Partial<Parameters<typeof Composer>[0]> = {}) {
  setBackend(new FakeBackend());
  const onSend = vi.fn();
  const props = { text: "こんにちは", onText: () => {}, onBlur: () => {}, onSend, blocked: null, busy: false, editing: false, onCancelEdit: () => {}, error: null, model: null, onPick: () => {}, pickerOpen: false, onPicker: () => {}, ...over };
  render(<QueryClientProvider client={queryClient}><Composer {...props} /></QueryClientProvider>);
  return { onSend, field: screen.getByTestId("composer") };
}

describe("the composer", () => {
  it("sends on Enter", () => {
    const { onSend, field } = composer();
    fireEvent.keyDown(field, { key: "Enter", keyCode: 13 });
    expect(onSend).toHaveBeenCalledOnce();
  });

  it("leaves Enter to the input method while it is composing", () => {
    const { onSend, field } = composer();
    const event = createEvent.keyDown(field, { key: "Enter", keyCode: 13, isComposing: true });
    fireEvent(field, event);
    fireEvent.keyDown(field, { key: "Enter", keyCode: 229 });
    expect(onSend).not.toHaveBeenCalled();
    expect(event.defaultPrevented).toBe(false);
  });

  it("leaves Shift Enter to the text", () => {
    const { onSend, field } = composer();
    fireEvent.keyDown(field, { key: "Enter", keyCode: 13, shiftKey: true });
    expect(onSend).not.toHaveBeenCalled();
  });

  it("does not send while an answer runs, and says so", () => {
    const { onSend, field } = composer({ busy: true });
    fireEvent.keyDown(field, { key: "Enter", keyCode: 13 });
    expect(onSend).not.toHaveBeenCalled();
    expect(screen.getByText(/stop it with Esc/)).toBeTruthy();
  });

  it("does not send blank text", () => {
    const { onSend, field } = composer({ text: "  \n" });
    fireEvent.keyDown(field, { key: "Enter", keyCode: 13 });
    expect(onSend).not.toHaveBeenCalled();
  });
});
