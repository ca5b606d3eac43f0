import type { CSSProperties, ReactNode } from "react";
import { hueOf } from "../lib/hues";

/** A provider's or model's name after the mark in its provider's colour. */
export function Line({ provider, children, title }: { provider: string | null; children: ReactNode; title?: string }) {
  return (
    <span className="line" style={{ "--hue": hueOf(provider) } as CSSProperties} title={title}>
      <span className="cut">{children}</span>
    </span>
  );
}
