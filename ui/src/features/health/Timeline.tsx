import { useState } from "react";
import type { HealthRow } from "../../api/bindings";
import { useRead } from "../../api/queries";
import { Icon } from "../../components/Icon";
import { Lamp } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { useNow, When } from "../../components/Time";
import { clock, count, plural } from "../../lib/format";
import { hueOf } from "../../lib/hues";
import { hrefOf } from "../../lib/router";
import { testids } from "../../lib/testids";
import { type Lane, lanesOf, runsOf, type Wave, wavesOf } from "./timeline";

const MOST = 1000;

/** Which provider carried the requests when, where they were switched, and why. */
export function Timeline({ rows, minutes }: { rows: HealthRow[]; minutes: number }) {
  const { data } = useRead("requests.switches", { minutes, limit: MOST }, { every: 10_000 });
  const [asTable, setAsTable] = useState(false);
  const now = useNow();
  const switches = data ?? [];
  const lanes = lanesOf(rows, switches);
  const waves = wavesOf(switches);
  if (lanes.length === 0) return null;
  return (
    <div className="timeline">
      <section className="tl-main" aria-label="Failover timeline">
        <div className="cap">
          <h2>Failover timeline</h2>
          <span className="leg wide"><Lamp state="degraded" />one in ten failed</span>
          <span className="leg wide"><Lamp state="open" />half failed</span>
          <span className="push small t2 wide">curve: a switch, with requests saved</span>
          <button type="button" className="btn small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}><Icon name="table" small />{asTable ? "Picture" : "Table"}</button>
        </div>
        {asTable ? <WaveTable waves={waves} /> : <Picture lanes={lanes} waves={waves} until={now} minutes={minutes} />}
      </section>
      <section className="tl-side" aria-label="Switches">
        <div className="cap"><h2>Switches</h2><span className="push small t3">requests saved</span></div>
        {waves.length === 0 ? <p className="small t3">None in this window: nobody had to go elsewhere.</p> : (
          <ol tabIndex={0}>
            {waves.slice(0, 50).map((w) => <SwitchLine key={`${w.newest.request_id}/${w.last}`} wave={w} />)}
          </ol>
        )}
      </section>
    </div>
  );
}

function SwitchLine({ wave }: { wave: Wave }) {
  return (
    <li data-testid={testids.switchRow}>
      <When at={wave.last} />
      <a href={hrefOf("requests", wave.newest.request_id)} className="grow" title={wave.newest.error_message ?? "Open the last of these requests"}>
        <span className="med cut">{wave.from} → {wave.to}</span>
        <span className="t2 small cut">{wave.cause}{wave.count > 1 && `, ${plural(wave.count, "switch", "switches")}`}</span>
      </a>
      <span className="num" title={`${count(wave.saved)} of ${plural(wave.count, "request")} answered`}>{count(wave.saved)}</span>
    </li>
  );
}

function WaveTable({ waves }: { waves: Wave[] }) {
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label="Switches as a table">
      <table>
        <thead><tr><th>From</th><th>To</th><th>Cause</th><th>First</th><th>Last</th><th className="r">Switches</th><th className="r">Saved</th></tr></thead>
        <tbody>
          {waves.map((w) => (
            <tr key={`${w.newest.request_id}/${w.last}`}>
              <td><Line provider={w.newest.from_provider}>{`${w.newest.from_provider} ${w.newest.from_model}`}</Line></td>
              <td><Line provider={w.newest.to_provider}>{`${w.newest.to_provider} ${w.newest.to_model}`}</Line></td>
              <td>{w.cause}</td><td>{clock(w.first)}</td><td>{clock(w.last)}</td><td className="r">{count(w.count)}</td><td className="r">{count(w.saved)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const WIDTH = 740;
const LEFT = 86;
const STEP = 28;
const TOP = 14;

function Picture({ lanes, waves, until, minutes }: { lanes: Lane[]; waves: Wave[]; until: number; minutes: number }) {
  const from = until - minutes * 60_000;
  const foot = TOP + lanes.length * STEP;
  const x = (at: number) => LEFT + Math.min(1, Math.max(0, (at - from) / (until - from))) * (WIDTH - LEFT - 8);
  const y = (provider: string) => TOP + lanes.findIndex((l) => l.provider === provider) * STEP;
  const between = waves.filter((w) => w.newest.from_provider !== w.newest.to_provider);
  return (
    <svg className="tl" viewBox={`0 0 ${WIDTH} ${foot + 12}`} role="img" aria-label={`${plural(lanes.length, "provider")}, ${plural(waves.length, "group")} of switches; the table says the same in words`}>
      <defs>
        <pattern id="tl-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" stroke="var(--lamp-open)" strokeWidth="1.2" opacity=".55" /></pattern>
        <marker id="tl-arrow" viewBox="0 0 6 6" refX="4.5" refY="3" markerWidth="6" markerHeight="6" orient="auto"><path d="M0.5 0.5 5 3 0.5 5.5" fill="none" stroke="var(--text-2)" /></marker>
      </defs>
      {[0, 1, 2, 3, 4].map((i) => {
        const at = from + ((until - from) * i) / 4;
        return (
          <g key={i}>
            <path d={`M${x(at)} 2V${foot - 12}`} stroke="var(--grid)" />
            <text x={x(at)} y={foot + 6} textAnchor={i === 4 ? "end" : i === 0 ? "start" : "middle"}>{i === 4 ? "now" : tick(at, minutes)}</text>
          </g>
        );
      })}
      {lanes.map((lane) => <LaneLine key={lane.provider} lane={lane} y={y(lane.provider)} x={(part) => LEFT + (part / Math.max(1, lane.parts.length)) * (WIDTH - LEFT - 8)} />)}
      {between.map((w) => {
        const [a, b, at] = [y(w.newest.from_provider), y(w.newest.to_provider), x(w.last)];
        const down = b > a ? 1 : -1;
        const end = Math.min(at + 12, WIDTH - 12);
        return (
          <g key={`${w.newest.request_id}/${w.last}`}>
            <path d={`M${at} ${a + 3 * down}C${at} ${a + 14 * down} ${end} ${b - 16 * down} ${end} ${b - 5 * down}`} fill="none" stroke="var(--text-2)" strokeWidth="1.2" markerEnd="url(#tl-arrow)" />
            <text x={Math.min(end + 5, WIDTH - 2)} y={b - 8 * down + 4} className="tl-saved" textAnchor={end + 20 > WIDTH ? "end" : "start"}>{count(w.saved)}</text>
          </g>
        );
      })}
    </svg>
  );
}

function LaneLine({ lane, y, x }: { lane: Lane; y: number; x(part: number): number }) {
  return (
    <g>
      <text x="0" y={y + 4} className="tl-name">{lane.provider.slice(0, 13)}</text>
      <path d={`M${x(0)} ${y}H${x(lane.parts.length)}`} stroke="var(--border-strong)" strokeDasharray="1 4" />
      {runsOf(lane.parts).map(({ state, from, to }) => {
        const [a, b] = [x(from), x(to)];
        if (state === "none") return null;
        return (
          <g key={from}>
            {state === "degraded" && <><rect x={a} y={y - 6} width={b - a} height="12" fill="var(--lamp-degraded-weak)" /><path d={`M${a} ${y - 6}H${b}`} stroke="var(--lamp-degraded)" strokeWidth="1.2" /></>}
            {state === "failing" && <><rect x={a} y={y - 6} width={b - a} height="12" rx="1.5" fill="var(--lamp-open-weak)" /><rect x={a} y={y - 6} width={b - a} height="12" rx="1.5" fill="url(#tl-hatch)" stroke="var(--lamp-open)" strokeWidth=".8" /></>}
            {state !== "failing" && <path d={`M${a} ${y}H${b}`} stroke={hueOf(lane.provider)} strokeWidth="2.4" />}
          </g>
        );
      })}
    </g>
  );
}

/** The clock within a day; the day before it, where the window is longer. */
function tick(at: number, minutes: number): string {
  const text = clock(at).slice(0, 5);
  return minutes > 1440 ? `${new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${text}` : text;
}
