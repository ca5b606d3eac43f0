import { useEffect } from "react";
import { isComposing } from "../lib/composing";
import { useUi } from "../lib/store";
import { type Action, ACTIONS, type Shortcut } from "./actions";

function matches(shortcut: Shortcut, event: KeyboardEvent): boolean {
  const mod = event.ctrlKey || event.metaKey;
  // `?` is typed with Shift on most keyboards and without on others.
  const shift = shortcut.key === "?" ? event.shiftKey : Boolean(shortcut.shift);
  return event.key.toLowerCase() === shortcut.key.toLowerCase() && mod === Boolean(shortcut.mod) && event.altKey === Boolean(shortcut.alt) && event.shiftKey === shift;
}

const isTyping = (target: EventTarget | null): boolean => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** The action that this key press asks for, or null. Bare keys are left to text fields. */
export function actionFor(event: KeyboardEvent, actions: readonly Action[] = ACTIONS): Action | null {
  if (isComposing(event)) return null;
  const action = actions.find((a) => a.shortcuts.some((s) => matches(s, event)));
  if (!action?.enabled()) return null;
  const bare = !event.ctrlKey && !event.metaKey && !event.altKey && event.key.length === 1;
  return bare && isTyping(event.target) ? null : action;
}

/** One listener for all shortcuts. An open overlay has the keyboard to itself, and Esc closes it. */
export function useShortcuts(): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const action = actionFor(event);
      if (!action || event.defaultPrevented) return;
      const floating = useUi.getState().overlay !== null || document.querySelector("[data-radix-popper-content-wrapper]") !== null;
      if (floating && action.id !== "palette") return;
      event.preventDefault();
      action.run();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}
