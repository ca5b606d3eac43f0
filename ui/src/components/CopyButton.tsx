import { useEffect, useRef, useState } from "react";
import { Icon } from "./Icon";

/** Copies, and says so in its own place for two seconds. */
export function CopyButton({ text, label = "Copy", quiet, icon }: { text: string; label?: string; quiet?: boolean; icon?: boolean }) {
  const [state, setState] = useState<"idle" | "done" | "failed">("idle");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const ok = await copyText(text);
    setState(ok ? "done" : "failed");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setState("idle"), 2000);
  };
  const word = state === "done" ? "Copied" : state === "failed" ? "Not copied" : label;
  return (
    <button type="button" className={`btn small${quiet ? " quiet" : ""}${icon ? " icon" : ""}`} title={icon ? word : undefined} onClick={() => void copy()}>
      <Icon name={state === "done" ? "check" : "copy"} small />
      <span aria-live="polite" className={icon ? "sr-only" : undefined}>{word}</span>
    </button>
  );
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** WebKitGTK refuses the clipboard API outside of secure pages; a selection still copies. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  document.body.append(area);
  area.select();
  const ok = document.execCommand("copy");
  area.remove();
  return ok;
}
