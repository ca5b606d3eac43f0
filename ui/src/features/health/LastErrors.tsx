import type { HealthRow } from "../../api/bindings";
import { Line } from "../../components/Line";
import { When } from "../../components/Time";
import { words } from "../../lib/words";

/** The last failure of each line, newest first: when, who, what, in the provider's own words. */
export function LastErrors({ rows }: { rows: HealthRow[] }) {
  const failed = rows.filter((r) => r.last_error !== null).sort((a, b) => Number(b.last_error?.at ?? 0) - Number(a.last_error?.at ?? 0));
  return (
    <section className="last-errors" aria-label="Last errors">
      <div className="cap">
        <h2>Last errors</h2>
        <span className="small t3">the newest of each line</span>
      </div>
      {failed.length === 0 ? (
        <p className="t3 small">None in this window.</p>
      ) : (
        <ol tabIndex={0}>
          {failed.map((r) => r.last_error && (
            <li key={`${r.provider}/${r.model}`}>
              <When at={Number(r.last_error.at)} />
              <Line provider={r.provider}>{`${r.provider} ${r.model}`}</Line>
              <span className="med nowrap">{words(r.last_error.kind)}</span>
              <span className="t2 cut" title={r.last_error.message}>{r.last_error.message}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
