import type { ReactNode } from "react";
import type { LampState } from "../api/bindings";
import { Lamp } from "./Lamp";

/** Something that changes what the screen means: what, why, and the one next step. */
export function Callout({ state, title, children, role }: { state: LampState; title: string; children?: ReactNode; role?: "alert" | "status" }) {
  return (
    <div className={`callout c-${state}`} role={role}>
      <Lamp state={state} />
      <div className="callout-body">
        <div className="strong">{title}</div>
        {children}
      </div>
    </div>
  );
}
