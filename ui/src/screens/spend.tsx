import { type CSSProperties, useEffect, useMemo, useState } from "react";
import { onAction } from "../actions/bus";
import type { GroupBy, SpendSummary } from "../api/bindings";
import { useRead, utcOffsetMinutes } from "../api/queries";
import { Callout } from "../components/Callout";
import { Icon } from "../components/Icon";
import { Seg } from "../components/Seg";
import { Stat } from "../components/Stat";
import { DailyChart } from "../features/spend/DailyChart";
import { barsOf, seriesOf, type Series } from "../features/spend/model";
import { DailyTable, TotalsTable } from "../features/spend/tables";
import { count, moneyOf, moneySum, plural } from "../lib/format";
import { hueOf } from "../lib/hues";
import { testids } from "../lib/testids";

type Days = "7" | "30" | "90";

const PERIODS: { value: Days; label: string }[] = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
];
const GROUPS: { value: GroupBy; label: string }[] = [
  { value: "provider", label: "Provider" },
  { value: "model", label: "Model" },
];

export function SpendScreen() {
  const [days, setDays] = useState<Days>("30");
  const [by, setBy] = useState<GroupBy>("provider");
  const { data, error } = useRead("spend.summary", { days: Number(days), group_by: by, utc_offset_minutes: utcOffsetMinutes() }, { every: 30_000 });
  return (
    <>
      <header className="bar">
        <h1>Spend</h1>
        <span className="small t3 wide">{new Date().toLocaleDateString("en-GB", { month: "long", year: "numeric" })}, {Intl.DateTimeFormat().resolvedOptions().timeZone}</span>
        <span className="push" />
        <Seg label="Period" value={days} options={PERIODS} onChange={setDays} />
      </header>
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      {data && <Summary summary={data} days={days} by={by} onBy={setBy} />}
    </>
  );
}

function Summary({ summary, days, by, onBy }: { summary: SpendSummary; days: Days; by: GroupBy; onBy(by: GroupBy): void }) {
  const series = useMemo(() => seriesOf(summary.totals), [summary]);
  const bars = useMemo(() => barsOf(summary, series), [summary, series]);
  const [asTable, setAsTable] = useState(false);
  useEffect(() => onAction("toggle-table", () => setAsTable((on) => !on)), []);
  const requests = summary.totals.reduce((n, t) => n + Number(t.requests), 0);
  return (
    <>
      <Stats summary={summary} days={days} requests={requests} />
      {requests === 0 ? (
        <p className="empty">Nothing was asked in the last {days} days. Start a chat, or point a tool at the port; each request is booked here with what it cost.</p>
      ) : (
        <>
          <section className="daily" aria-label="Per day">
            <div className="cap">
              <h2>Per day</h2>
              <Seg small label="Group by" value={by} options={GROUPS} onChange={onBy} />
              <button type="button" className="btn small push" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
                <Icon name="table" small />
                {asTable ? "Chart" : "Table"}
              </button>
            </div>
            {asTable ? <DailyTable bars={bars} series={series} /> : <><Legend series={series} /><DailyChart bars={bars} /></>}
          </section>
          <div className="low">
            <TotalsTable summary={summary} by={by} period={`Last ${days} days`} />
            <NoPrice summary={summary} days={days} />
          </div>
        </>
      )}
    </>
  );
}

function Stats({ summary, days, requests }: { summary: SpendSummary; days: Days; requests: number }) {
  const sum = summary.totals.reduce((n, t) => n + Number(t.cost_picousd), 0);
  const unknown = summary.totals.reduce((n, t) => n + Number(t.unknown), 0);
  const month = new Date().toLocaleDateString("en-GB", { month: "long" });
  const unpriced = (n: number) => (Number(n) > 0 ? `and ${plural(Number(n), "request")} without a price` : "every request has a price");
  const context = (requests: number, unknown: number) => (Number(requests) === 0 ? "no requests yet" : unpriced(unknown));
  return (
    <div className="stats">
      <Stat label="Today" testId={testids.spendToday} context={context(summary.today_requests, summary.today_unknown)}>{moneyOf(summary.today_picousd, summary.today_requests, summary.today_unknown)}</Stat>
      <Stat label={`${month} so far`} testId={testids.spendMonth} context={context(summary.month_requests, summary.month_unknown)}>{moneyOf(summary.month_picousd, summary.month_requests, summary.month_unknown)}</Stat>
      <Stat label={`Last ${days} days`} context={unknown > 0 ? unpriced(unknown) : `${moneySum(sum / Number(days))} a day`}>{moneyOf(sum, requests, unknown)}</Stat>
      <Stat label="Requests" context={`in the last ${days} days`}>{count(requests)}</Stat>
    </div>
  );
}

function Legend({ series }: { series: Series[] }) {
  return (
    <div className="legend">
      {series.length === 0 && <span className="t3">nothing with a price above $0 in this period</span>}
      {series.map((s) => (
        <span key={s.key} className={s.hollow ? "line hollow" : "line"} style={{ "--hue": hueOf(s.provider) } as CSSProperties}>{s.key}</span>
      ))}
    </div>
  );
}

function NoPrice({ summary, days }: { summary: SpendSummary; days: Days }) {
  const unknown = summary.totals.filter((t) => Number(t.unknown) > 0);
  const n = unknown.reduce((sum, t) => sum + Number(t.unknown), 0);
  if (n === 0) return null;
  return (
    <aside className="side">
      <Callout state="unknown" title={`${plural(n, "request has", "requests have")} no price`}>
        <p>{unknown.map((t) => t.key).slice(0, 4).join(", ")}{unknown.length > 4 && ` and ${unknown.length - 4} more`}, in the last {days} days. {n === 1 ? "It is counted as unknown, not as $0, and is" : "They are counted as unknown, not as $0, and are"} left out of every sum here.</p>
      </Callout>
    </aside>
  );
}
