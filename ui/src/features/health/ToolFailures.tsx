import { useRead } from "../../api/queries";
import { Line } from "../../components/Line";
import { When } from "../../components/Time";
import { words } from "../../lib/words";

const SHOWN = 20;

const REMEDIES: Record<string, string> = { none: "passed on", repaired: "mended", withheld: "withheld" };

/** The last tool calls and structured answers that were wrong; nothing where there were none. */
export function ToolFailures({ minutes }: { minutes: number }) {
  const { data: rows } = useRead("tools.failures", { minutes, provider: null, model: null, limit: SHOWN }, { every: 10_000 });
  if (!rows || rows.length === 0) return null;
  return (
    <section className="last-errors" aria-label="Wrong tool calls">
      <div className="cap">
        <h2>Wrong tool calls</h2>
        <span className="small t3">calls and structured answers that break what was asked for</span>
      </div>
      <ol tabIndex={0}>
        {rows.map((r, i) => (
          <li key={`${r.request_id}/${r.ordinal}/${i}`}>
            <When at={Number(r.at)} />
            <Line provider={r.provider}>{`${r.provider} ${r.model}`}</Line>
            <span className="med nowrap">{r.tool ?? "answer"}</span>
            <span className="nowrap">{words(r.kind)}, {REMEDIES[r.remedy] ?? words(r.remedy)}</span>
            <span className="t2 cut" title={r.arguments}>{r.message}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
