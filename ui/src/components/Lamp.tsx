import type { LampState } from "../api/bindings";
import { LAMP_WORDS } from "../lib/words";

const CLASS: Record<LampState, string> = { ok: "l-ok", degraded: "l-degraded", open: "l-open", half_open: "l-half", parked: "l-parked", unknown: "l-unknown" };

/** Colour and shape; `label` is read aloud where no word stands beside it. */
export function Lamp({ state, label }: { state: LampState; label?: string }) {
  const named = label === undefined ? { "aria-hidden": true as const } : { role: "img", "aria-label": label };
  return (
    <svg className={`lamp ${CLASS[state]}`} viewBox="0 0 12 12" {...named}>
      <Shape state={state} />
    </svg>
  );
}

function Shape({ state }: { state: LampState }) {
  switch (state) {
    case "ok":
      return <circle cx="6" cy="6" r="4.6" fill="currentColor" />;
    case "degraded":
      return <path d="M6 1.1 11.4 10.7H.6Z" fill="currentColor" stroke="currentColor" strokeWidth=".6" strokeLinejoin="round" />;
    case "open":
      return <path fill="currentColor" fillRule="evenodd" d="M2.2 1.1h7.6a1.1 1.1 0 0 1 1.1 1.1v7.6a1.1 1.1 0 0 1-1.1 1.1H2.2a1.1 1.1 0 0 1-1.1-1.1V2.2a1.1 1.1 0 0 1 1.1-1.1ZM3 5.1v1.8h6V5.1Z" />;
    case "half_open":
      return (
        <>
          <circle cx="6" cy="6" r="4.1" fill="none" stroke="currentColor" strokeWidth="1.3" />
          <path d="M6 1.9a4.1 4.1 0 0 0 0 8.2Z" fill="currentColor" />
        </>
      );
    case "parked":
      return <path d="M2.6 1.8h2.3v8.4H2.6ZM7.1 1.8h2.3v8.4H7.1Z" fill="currentColor" />;
    case "unknown":
      return <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" strokeWidth="1.4" strokeDasharray="1.9 1.4" />;
  }
}

export function LampWord({ state, word }: { state: LampState; word?: string }) {
  return (
    <span className="state">
      <Lamp state={state} />
      <span className={state === "ok" || state === "unknown" ? "t2" : ""}>{word ?? LAMP_WORDS[state]}</span>
    </span>
  );
}

const BADGE: Record<LampState, string> = { ok: "b-ok", degraded: "b-degraded", open: "b-open", half_open: "b-half", parked: "b-parked", unknown: "b-unknown" };

export function Badge({ state, children, testId }: { state: LampState; children: string; testId?: string }) {
  return (
    <span className={`badge ${BADGE[state]}`} data-testid={testId}>
      <Lamp state={state} />
      {children}
    </span>
  );
}
