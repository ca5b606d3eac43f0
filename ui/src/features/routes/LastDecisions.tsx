import { useRead } from "../../api/queries";
import { Lamp } from "../../components/Lamp";
import { clock } from "../../lib/format";
import { hrefOf } from "../../lib/router";
import { targetName } from "../../lib/words";
import { summary } from "../requests/decision";
import { stateWords } from "../requests/LogTable";

const SHOWN = 8;

/** Where the last requests of a route went, and why the newest one did. */
export function LastDecisions({ route }: { route: string }) {
  const { data } = useRead("requests.list", { filter: { terms: [{ field: "route", value: route, is_not: false }] }, limit: SHOWN });
  const rows = data?.rows ?? [];
  const targets = rows.flatMap((r) => (r.provider === null || r.model === null ? [] : [{ provider: r.provider, model: r.model }]));
  const newest = rows.find((r) => r.status !== "running");
  const { data: whole } = useRead("requests.get", { id: newest?.id ?? "" }, { enabled: newest !== undefined });
  return (
    <section>
      <h2>The last requests</h2>
      {rows.length === 0 && <p>None yet. Ask for <b>{route}</b> in a chat or through the port.</p>}
      {whole?.decision && <p>{summary(whole.decision).join(" ")}</p>}
      <ol className="last">
        {rows.map((r) => (
          <li key={r.id}>
            <a href={hrefOf("requests", r.id)}>
              <span className="t3 num">{clock(Number(r.started_at))}</span>
              <Lamp state={r.status === "ok" ? (r.switches > 0 ? "degraded" : "ok") : r.status === "running" || r.status === "interrupted" ? "unknown" : r.status === "cancelled" ? "parked" : "open"} label={stateWords(r)} />
              <span className="cut">{r.model === null ? "nobody" : r.provider === null ? r.model : targetName({ provider: r.provider, model: r.model }, targets)}{r.switches > 0 && ", after a switch"}</span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}
