import type { CSSProperties } from "react";
import type { HealthRow, Place, Quantiles, RoutingView } from "../../api/bindings";
import { LampWord } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { QuantileAxis, QuantileGlyph } from "../../components/QuantileGlyph";
import { Sparkline } from "../../components/Sparkline";
import { count, exactTime, NONE, percent, plural, rate, seconds } from "../../lib/format";
import { testids } from "../../lib/testids";
import { quotaLeft, standingOf } from "./circuit";
import { RowMenu } from "./RowMenu";

/** One row per provider and model; a provider is named once, at its first row. */
export function HealthTable({ rows, span, routing, now }: { rows: HealthRow[]; span: string; routing?: RoutingView | undefined; now?: number }) {
  const places = new Map((routing?.targets ?? []).map((p) => [`${p.provider}/${p.model}`, p]));
  const keys = new Map((routing?.providers ?? []).map((p) => [p.provider, p]));
  const since = routing && now !== undefined ? Math.max(0, now - Number(routing.at)) : 0;
  const sorted = [...rows].sort((a, b) => a.provider.localeCompare(b.provider) || Number(b.requests) - Number(a.requests));
  return (
    <div className="health-table">
      <table>
        <thead>
          <tr className="heads">
            <td colSpan={3} />
            <td className="wide" />
            <td colSpan={3} />
            <td className="wide" />
            <th colSpan={3} className="r">first token, s</th>
            <th colSpan={3} className="r">whole answer, s</th>
            <td />
            <th colSpan={2} className="wide">left of limits</th>
            <td />
          </tr>
          <tr>
            <th>Provider</th>
            <th>Model</th>
            <th>State</th>
            <th className="wide">Last {span}</th>
            <th className="r">Requests</th>
            <th className="r">Errors</th>
            <th className="r">Tool calls</th>
            <th className="wide"><span className="sr-only">First token, drawn</span><QuantileAxis /></th>
            <th className="r">p50</th><th className="r">p95</th><th className="r">p99</th>
            <th className="r">p50</th><th className="r">p95</th><th className="r">p99</th>
            <th className="r">tok/s</th>
            <th className="wide">Requests</th><th className="wide">Tokens</th>
            <th><span className="sr-only">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((row, i) => (
            <Row key={`${row.provider}/${row.model}`} row={row} named={sorted[i - 1]?.provider !== row.provider} span={span} place={places.get(`${row.provider}/${row.model}`)} keyPlace={keys.get(row.provider)} since={since} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  row: HealthRow;
  named: boolean;
  span: string;
  place: Place | undefined;
  keyPlace: Place | undefined;
  /** Milliseconds since the router said so. */
  since: number;
}

function Row({ row, named, span, place, keyPlace, since }: RowProps) {
  const standing = standingOf(place, keyPlace, since);
  return (
    <tr data-testid={testids.healthRow} data-line={`${row.provider}/${row.model}`}>
      <td>{named ? <Line provider={row.provider}>{row.provider}</Line> : <span className="sr-only">{row.provider}</span>}</td>
      <td className="cut model-cell" title={row.model}>{row.model}</td>
      <td className="cut state-cell" title={[standing?.words, row.last_seen_at === null ? null : `last request ${exactTime(Number(row.last_seen_at))}`].filter(Boolean).join(", ") || undefined}><LampWord state={standing?.lamp ?? row.lamp} {...(standing ? { word: standing.words } : {})} /></td>
      <td className="wide"><Sparkline values={row.sparkline.map(Number)} errors={row.error_sparkline.map(Number)} label={`requests over the last ${span}, ${plural(Number(row.requests), "request")} in all`} /></td>
      <td className="r">{count(row.requests)}</td>
      <td className="r"><ErrorRate row={row} /></td>
      <td className="r"><ToolCalls row={row} /></td>
      <td className="wide"><QuantileGlyph of={row.ttft_ms} slow={row.lamp === "degraded"} /></td>
      <Three of={row.ttft_ms} />
      <Three of={row.duration_ms} />
      <td className="r">{rate(row.tokens_per_second)}</td>
      <td className="wide"><Quota place={place} keyPlace={keyPlace} kind="requests" /></td>
      <td className="wide"><Quota place={place} keyPlace={keyPlace} kind="tokens" /></td>
      <td className="menu-cell"><RowMenu provider={row.provider} model={row.model} place={place} keyPlace={keyPlace} /></td>
    </tr>
  );
}

/** What is left, never what is gone. */
function Quota({ place, keyPlace, kind }: { place: Place | undefined; keyPlace: Place | undefined; kind: "requests" | "tokens" }) {
  const quota = quotaLeft(place, keyPlace, kind);
  if (quota === null) return <span className="t3" title="No limit is set, and no answer told of one">{NONE}</span>;
  if (quota.share === null) return <span title={quota.all}>{count(quota.left)}</span>;
  const tone = quota.share <= 0 ? "quota out" : quota.share < 0.15 ? "quota low" : "quota";
  return <span className={tone} style={{ "--v": `${quota.share * 100}%` } as CSSProperties} title={quota.all}><i /><span>{Math.round(quota.share * 100)}<span className="unit">%</span></span></span>;
}

const Three = ({ of }: { of: Quantiles | null }) => (
  <>
    <td className="r">{seconds(of?.p50)}</td>
    <td className="r">{seconds(of?.p95)}</td>
    <td className="r">{seconds(of?.p99)}</td>
  </>
);

/** A share of five requests says little, so colour starts where failures are many and frequent. */
function ErrorRate({ row }: { row: HealthRow }) {
  const ended = Number(row.answered) + Number(row.refused) + Number(row.errors);
  if (ended === 0) return <span className="t3">{NONE}</span>;
  const tone = row.error_rate >= 0.2 ? "med bad" : row.error_rate >= 0.03 ? "med" : "t2";
  return (
    <span className={tone} title={`${count(row.errors)} of ${plural(ended, "request")} that ended${Number(row.truncated) > 0 ? `, ${count(row.truncated)} cut short` : ""}`}>
      {percent(row.error_rate)}
      <span className="unit">%</span>
    </span>
  );
}

/** Wrong of all checked; the title says what became of them, and how often the model declined. */
function ToolCalls({ row }: { row: HealthRow }) {
  const [checked, failed, mended, refused] = [row.checked, row.check_failures, row.check_repairs, row.refusals].map(Number) as [number, number, number, number];
  const declined = refused > 0 ? `${plural(refused, "answer")} declined` : undefined;
  if (checked === 0) return <span className="t3" title={declined}>{NONE}</span>;
  const said = `${count(failed)} of ${plural(checked, "tool call")} or structured answers wrong${mended > 0 ? `, ${count(mended)} mended` : ""}${declined ? `; ${declined}` : ""}`;
  return (
    <span className={failed > 0 ? "med" : "t2"} title={said}>
      {count(failed)}<span className="unit">/{count(checked)}</span>
    </span>
  );
}
