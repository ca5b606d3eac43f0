import type { SpendSummary, SpendTotal } from "../../api/bindings";
import { Line } from "../../components/Line";
import { count, dayLabel, moneyOf, moneyRequest, moneySum, NONE, percent, tokens } from "../../lib/format";
import { hueOf } from "../../lib/hues";
import { testids } from "../../lib/testids";
import { type Bar, providerOf, type Series } from "./model";

/** Every group of the period, the dearest first, with the share and what it is made of. */
export function TotalsTable({ summary, by, period }: { summary: SpendSummary; by: "provider" | "model"; period: string }) {
  const rows = [...summary.totals].sort((a, b) => Number(b.cost_picousd) - Number(a.cost_picousd) || Number(b.requests) - Number(a.requests));
  const sum = rows.reduce((n, r) => n + Number(r.cost_picousd), 0);
  const most = Math.max(1, ...rows.map((r) => Number(r.cost_picousd)));
  return (
    <div className="totals" tabIndex={0} role="region" aria-label={`Spend by ${by}`}>
      <table>
        <thead>
          <tr>
            <th>{by === "provider" ? "Provider" : "Model"}</th>
            <th className="wide"><span className="sr-only">Share, drawn</span></th>
            <th className="r">Cost</th><th className="r">Share</th><th className="r">Requests</th><th className="r">In</th><th className="r">Cached</th><th className="r">Out</th><th className="r">Per request</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => <TotalRow key={r.key} row={r} sum={sum} most={most} />)}
          <tr className="total">
            <td>{period}</td>
            <td className="wide" />
            <td className="r">{moneyOf(sum, add(rows, (r) => r.requests), add(rows, (r) => r.unknown))}</td>
            <td className="r">{sum > 0 ? <>100.0<span className="unit">%</span></> : NONE}</td>
            <td className="r">{count(add(rows, (r) => r.requests))}</td>
            <td className="r"><Tokens n={add(rows, (r) => r.input_tokens)} /></td>
            <td className="r"><Cached read={add(rows, (r) => r.cache_read_tokens)} input={add(rows, (r) => r.input_tokens)} /></td>
            <td className="r"><Tokens n={add(rows, (r) => r.output_tokens)} /></td>
            <td className="r">{perRequest(sum, add(rows, (r) => r.requests), add(rows, (r) => r.unknown))}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

const add = (rows: SpendTotal[], of: (r: SpendTotal) => number): number => rows.reduce((n, r) => n + Number(of(r)), 0);

function TotalRow({ row, sum, most }: { row: SpendTotal; sum: number; most: number }) {
  const cost = Number(row.cost_picousd);
  const isUnknown = Number(row.unknown) > 0 && Number(row.unknown) === Number(row.requests);
  return (
    <tr data-testid={testids.spendRow} data-key={row.key}>
      <td className="key-cell"><Line provider={providerOf(row.key)} title={row.key}>{row.key}</Line></td>
      <td className="wide"><span className="share"><i style={{ width: `${(cost / most) * 100}%`, background: hueOf(providerOf(row.key)) }} /></span></td>
      <td className="r strong">{isUnknown ? <span className="t3">unknown</span> : moneySum(cost)}</td>
      <td className="r t2">{isUnknown || sum === 0 ? NONE : <>{percent(cost / sum)}<span className="unit">%</span></>}</td>
      <td className="r">{count(row.requests)}</td>
      <td className="r"><Tokens n={row.input_tokens} /></td>
      <td className="r"><Cached read={row.cache_read_tokens} input={row.input_tokens} /></td>
      <td className="r"><Tokens n={row.output_tokens} /></td>
      <td className="r">{perRequest(cost, Number(row.requests), Number(row.unknown))}</td>
    </tr>
  );
}

/** Over the requests that have a price; the others are no part of the sum either. */
function perRequest(picousd: number, requests: number, unknown: number): string {
  const priced = requests - unknown;
  return priced > 0 ? moneyRequest(Math.round(picousd / priced)) : NONE;
}

function Tokens({ n }: { n: number }) {
  const { figure, unit } = tokens(n);
  return <>{figure}{unit !== "" && <span className="unit">{unit}</span>}</>;
}

function Cached({ read, input }: { read: number; input: number }) {
  return Number(input) > 0 ? <>{Math.round((Number(read) / Number(input)) * 100)}<span className="unit">%</span></> : <>{NONE}</>;
}

/** The chart's figures, day by day, newest first. */
export function DailyTable({ bars, series }: { bars: Bar[]; series: Series[] }) {
  const busy = bars.filter((b) => b.requests > 0).reverse();
  return (
    <div className="daily-table" tabIndex={0} role="region" aria-label="Spend by day">
      <table>
        <thead>
          <tr><th>Day</th>{series.map((s) => <th key={s.key} className="r cut" title={s.key}>{s.key}</th>)}<th className="r">Requests</th><th className="r">No price</th><th className="r">Sum</th></tr>
        </thead>
        <tbody>
          {busy.map((bar) => (
            <tr key={bar.date}>
              <td>{dayLabel(bar.date)}</td>
              {bar.parts.map((p) => <td key={p.series.key} className="r">{p.picousd > 0 ? moneySum(p.picousd) : NONE}</td>)}
              <td className="r">{count(bar.requests)}</td>
              <td className="r">{bar.unknown > 0 ? count(bar.unknown) : NONE}</td>
              <td className="r strong">{moneyOf(bar.total, bar.requests, bar.unknown)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
