import type { RouteView } from "../../api/bindings";
import { hueOf } from "../../lib/hues";
import { LAMP_WORDS, targetName } from "../../lib/words";
import type { LampOf } from "../../screens/routes";
import { takenWhen } from "./words";

const WIDTH = 576;
const STEP = 38;
const FROM = 96;
const TO = 334;
const MOST = 8;

/** The route as tracks: solid where requests go first, dashed where they go when something is wrong. */
export function Picture({ route, lampOf }: { route: RouteView; lampOf: LampOf }) {
  const shown = route.targets.slice(0, MOST);
  const first = route.targets.findIndex((t) => t.only_after.length === 0 && t.when === null);
  const height = Math.max(56, shown.length * STEP + 10);
  const y = (i: number) => 24 + i * STEP;
  const mid = y(Math.max(0, Math.min(first, shown.length - 1)));
  const ruled = new Set(route.rules.flatMap((r) => r.targets.slice(0, 1)));
  return (
    <div className="dia">
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={`${route.name} leads to ${shown.map((t) => targetName(t, route.targets)).join(", ")}`}>
        <path d={`M40 ${mid}H${FROM}`} stroke="var(--text-2)" strokeWidth="2" />
        <circle cx={FROM} cy={mid} r="3.5" fill="var(--text)" />
        <text x="0" y={mid - 8} className="dia-name">{route.name.slice(0, 13)}</text>
        {shown.map((t, i) => {
          const solid = route.strategy === "priority" ? i === first || ruled.has(i) : t.only_after.length === 0;
          const bend = `M${FROM} ${mid}C${FROM + 50} ${mid} ${FROM + 30} ${y(i)} ${FROM + 84} ${y(i)}H${TO}`;
          const lamp = lampOf(t.provider, t.model);
          return (
            <g key={`${t.provider}/${t.model}/${i}`}>
              <path d={bend} fill="none" stroke={hueOf(t.provider)} strokeWidth="2" strokeDasharray={solid ? undefined : "4 4"} />
              <circle cx={TO} cy={y(i)} r="4.5" fill="var(--surface)" stroke={hueOf(t.provider)} strokeWidth="2" />
              <text x={TO - 8} y={y(i) - 6} textAnchor="end" className="s">{cut(takenWhen(route, i), 32)}</text>
              <text x={TO + 13} y={y(i) + 4}>{cut(targetName(t, route.targets), 24)}</text>
              <text x={WIDTH} y={y(i) + 4} textAnchor="end" className="s">{LAMP_WORDS[lamp]}</text>
            </g>
          );
        })}
      </svg>
      {route.targets.length > MOST && <p className="small t3">and {route.targets.length - MOST} more</p>}
    </div>
  );
}

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
