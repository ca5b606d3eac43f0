import { useState } from "react";
import type { HealthRow, LampState } from "../api/bindings";
import { useRead } from "../api/queries";
import { Lamp } from "../components/Lamp";
import { Seg } from "../components/Seg";
import { Stat, Unit } from "../components/Stat";
import { Ago, useSeconds } from "../components/Time";
import { Budgets } from "../features/health/Budgets";
import { HealthTable } from "../features/health/HealthTable";
import { LastErrors } from "../features/health/LastErrors";
import { Timeline } from "../features/health/Timeline";
import { ToolFailures } from "../features/health/ToolFailures";
import { count, duration, percent, plural } from "../lib/format";
import { LAMP_ORDER, LAMP_WORDS } from "../lib/words";

type Minutes = "15" | "60" | "1440";

const WINDOWS: { value: Minutes; label: string }[] = [
  { value: "15", label: "15 min" },
  { value: "60", label: "1 h" },
  { value: "1440", label: "24 h" },
];

export function HealthScreen() {
  const [minutes, setMinutes] = useState<Minutes>("60");
  const { data: rows, error } = useRead("health.list", { minutes: Number(minutes) }, { every: 10_000 });
  const { data: routing } = useRead("routing.view", {}, { every: 5_000 });
  const now = useSeconds(routing !== undefined && [...routing.targets, ...routing.providers].some((p) => p.opens_in_ms !== null));
  const span = WINDOWS.find((w) => w.value === minutes)?.label ?? "";
  return (
    <>
      <header className="bar">
        <h1>Health</h1>
        <span className="small t3 wide">last {span}, per provider and model</span>
        <span className="push" />
        <Seg label="Window" value={minutes} options={WINDOWS} onChange={setMinutes} />
      </header>
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      <Stats rows={rows ?? []} />
      {rows?.length === 0 ? (
        <p className="empty">No requests in the last {span}. Start a chat, or point a tool at the port; each provider and model that answers gets its line here.</p>
      ) : (
        <div className="health-body" tabIndex={0} role="region" aria-label="Lines, switches and errors">
          <HealthTable rows={rows ?? []} span={span} routing={routing} now={now} />
          {routing && routing.budgets.length > 0 && <Budgets budgets={routing.budgets} />}
          <Timeline rows={rows ?? []} minutes={Number(minutes)} />
          <LastErrors rows={rows ?? []} />
          <ToolFailures minutes={Number(minutes)} />
        </div>
      )}
    </>
  );
}

function Stats({ rows }: { rows: HealthRow[] }) {
  const requests = sum(rows, (r) => r.requests);
  const answered = sum(rows, (r) => r.answered);
  const ended = answered + sum(rows, (r) => r.refused) + sum(rows, (r) => r.errors);
  const truncated = sum(rows, (r) => r.truncated);
  const slowest = rows.reduce<HealthRow | null>((worst, r) => (r.ttft_ms && r.ttft_ms.p95 > (worst?.ttft_ms?.p95 ?? 0) ? r : worst), null);
  const latest = rows.reduce<HealthRow | null>((last, r) => (r.last_error && Number(r.last_error.at) > Number(last?.last_error?.at ?? 0) ? r : last), null);
  return (
    <div className="stats">
      <Stat label="Answered" context={<span title={answeredWords(rows)}>{requests === 0 ? "no requests" : `${count(answered)} of ${count(ended)} that ended`}</span>}>
        {ended === 0 ? "–" : <>{percent(answered / ended)}<Unit>%</Unit></>}
      </Stat>
      <Stat label="Not healthy" context={troubleWords(rows)}>
        <Troubles rows={rows} />
      </Stat>
      <Stat label="Cut short" context="streams that ended early">{count(truncated)}</Stat>
      <Stat label="Slowest first token, p95" context={slowest ? `${slowest.provider} ${slowest.model}` : "no answers yet"}>{slowest?.ttft_ms ? duration(slowest.ttft_ms.p95) : "–"}</Stat>
      <Stat label="Last failure" context={latest?.last_error ? `${latest.provider} ${latest.model}` : "none in this window"}>
        {latest?.last_error ? <Ago at={Number(latest.last_error.at)} /> : "–"}
      </Stat>
    </div>
  );
}

/** Where the requests went; the numbers add up to all of them. What was stopped is no failure, and no answer either. */
export function answeredWords(rows: HealthRow[]): string {
  const [requests, answered, failed, refused] = [sum(rows, (r) => r.requests), sum(rows, (r) => r.answered), sum(rows, (r) => r.errors), sum(rows, (r) => r.refused)];
  if (requests === 0) return "no requests";
  const open = requests - answered - failed - refused;
  const others = [[failed, "failed"], [refused, "refused"], [open, "stopped or running"]] as const;
  return [`${count(answered)} of ${plural(requests, "request")}`, ...others.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`)].join(", ");
}

const sum = (rows: HealthRow[], of: (r: HealthRow) => number): number => rows.reduce((n, r) => n + Number(of(r)), 0);

function troubled(rows: HealthRow[]): { state: LampState; n: number }[] {
  return LAMP_ORDER.filter((s) => s !== "ok" && s !== "unknown")
    .map((state) => ({ state, n: rows.filter((r) => r.lamp === state).length }))
    .filter(({ n }) => n > 0);
}

const troubleWords = (rows: HealthRow[]): string => troubled(rows).map(({ state }) => LAMP_WORDS[state]).join(", ") || (rows.length > 0 ? "all lines are ok" : "no lines yet");

function Troubles({ rows }: { rows: HealthRow[] }) {
  const all = troubled(rows);
  if (all.length === 0) return <>{rows.length === 0 ? "–" : "0"}</>;
  return (
    <span className="troubles">
      {all.map(({ state, n }) => (
        <span key={state} className="row">
          <Lamp state={state} label={LAMP_WORDS[state]} />
          {n}
        </span>
      ))}
    </span>
  );
}
