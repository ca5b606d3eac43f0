import type { AttemptView, Decision, RequestView, ToolFailure } from "../../api/bindings";
import { Lamp, LampWord } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { count, duration, exactTime, moneyLine, moneyRequest, NONE } from "../../lib/format";
import { COST_WORDS, targetName, words } from "../../lib/words";
import { againstWords, fateOf, reasonWords, stateOf, stepState, stepWords, summary, weighed } from "./decision";
import { clientOf } from "./LogTable";
import { isBad, Waterfall } from "./Waterfall";

export function AttemptsPicture({ request }: { request: RequestView }) {
  if (request.attempts.length === 0) return <section><h2>Attempts</h2><p>Nobody was asked.</p></section>;
  return (
    <section>
      <h2>Attempts<span className="push small t2 num">{request.duration_ms === null ? "still running" : `${duration(request.duration_ms)} in all`}</span></h2>
      <Waterfall request={request} />
    </section>
  );
}

/** The candidates with what became of each, and the story in words. */
export function Why({ decision }: { decision: Decision }) {
  return (
    <section>
      <h2>Why these<span className="push small t2">{[decision.route === "" ? "asked by its own name" : `route ${decision.route}`, decision.rule === null ? "" : `rule ${Number(decision.rule) + 1}`].filter(Boolean).join(", ")}</span></h2>
      <table>
        <thead><tr><th><span className="sr-only">State</span></th><th>Candidate</th><th className="r" title="By the route's strategy; less is better">Score</th><th>Then</th></tr></thead>
        <tbody>
          {decision.candidates.map((c) => (
            <tr key={`${c.provider}/${c.model}`}>
              <td><Lamp state={stateOf(c)} label={c.why === null ? "ok" : againstWords(c.why)} /></td>
              <td className="cut name"><Line provider={c.provider} title={`${c.provider} ${c.model}`}>{targetName(c, decision.candidates)}</Line></td>
              <td className="r">{c.score === null ? NONE : c.score.toFixed(2)}</td>
              <td className="t2 cut fate" title={fateOf(c, decision)}>{fateOf(c, decision)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="story">{summary(decision).join(" ")}</p>
    </section>
  );
}

/** What happened on the way, one line each, and what each candidate was weighed by. */
export function DecisionStory({ decision }: { decision: Decision }) {
  return (
    <>
      <section>
        <h2>What happened</h2>
        {decision.steps.length === 0 ? <p>Nothing is written down of it.</p> : (
          <ol className="steps">
            {decision.steps.map((s, i) => {
              const lamp = stepState(s);
              return (
                <li key={i}>
                  <span className="r t3 num">{s.at_ms === 0 ? "0 s" : duration(s.at_ms)}</span>
                  <span className="mark">{lamp === null ? <i className="dot" /> : <Lamp state={lamp} />}</span>
                  <span>{s.provider === null ? stepWords(s, decision.candidates) : <Line provider={s.provider} title={`${s.provider} ${s.model ?? ""}`}>{stepWords(s, decision.candidates)}</Line>}</span>
                </li>
              );
            })}
          </ol>
        )}
      </section>
      <Why decision={decision} />
      <section>
        <h2>What they were weighed by</h2>
        <dl className="pairs">
          {decision.candidates.map((c) => (
            <div key={`${c.provider}/${c.model}`}><dt className="cut" title={`${c.provider} ${c.model}`}>{c.rank === null ? "" : `${c.rank} `}{targetName(c, decision.candidates)}</dt><dd>{weighed(c) || <span className="t3">nothing measured yet</span>}</dd></div>
          ))}
        </dl>
      </section>
    </>
  );
}

interface Part {
  label: string;
  /** Tokens, or calls. */
  quantity: number | null;
  picousd: number;
}

/** The lines of the answering attempt, and what the others cost: together the request's sum. */
export function partsOf(request: RequestView): Part[] {
  const parts = request.cost_lines.map((l): Part => ({ label: l.model === null ? words(l.label) : `${words(l.label)}, ${l.model}`, quantity: Number(l.quantity), picousd: Number(l.cost_picousd) }));
  const rest = Number(request.cost_picousd ?? 0) - parts.reduce((sum, p) => sum + p.picousd, 0);
  if (request.cost_picousd !== null && rest !== 0) parts.push({ label: request.attempts.length > 1 ? "other attempts" : "not broken down", quantity: null, picousd: rest });
  return parts;
}

export function CostSection({ request }: { request: RequestView }) {
  const parts = partsOf(request);
  const known = request.cost_picousd !== null;
  const prices = request.price_version === null ? "" : `, prices of ${request.price_version}`;
  return (
    <section>
      <h2>Cost<span className="push small t2">{known ? `${COST_WORDS[request.cost_status]}${prices}` : "unknown"}</span></h2>
      {parts.length > 0 && (
        <table>
          <thead><tr><th>Part</th><th className="r">Quantity</th><th className="r">$ per M</th><th className="r">Cost</th></tr></thead>
          <tbody>
            {parts.map((p, i) => (
              <tr key={i}>
                <td className="cut name"><Line provider={request.provider}>{p.label}</Line></td>
                <td className="r">{p.quantity === null ? NONE : count(p.quantity)}</td>
                <td className="r t2">{perMillion(p)}</td>
                <td className="r">{moneyLine(p.picousd)}</td>
              </tr>
            ))}
            <tr className="sum"><td>{request.attempts.length > 1 ? `${request.attempts.length} attempts` : "Sum"}</td><td /><td /><td className="r">{moneyLine(request.cost_picousd)}</td></tr>
          </tbody>
        </table>
      )}
      {!known && <p>{request.usage === null ? "Nobody said how many tokens it took." : "There is no price for it."} It is in no sum.</p>}
      {known && parts.length === 0 && <p>{Number(request.cost_picousd) === 0 ? "It cost nothing." : moneyLine(request.cost_picousd)}</p>}
      {request.cost_notes.map((note) => <p key={note}>{note}</p>)}
    </section>
  );
}

/** Pico-dollars for one token are micro-dollars for a million. */
function perMillion(p: Part): string {
  return p.quantity === null || p.quantity === 0 ? NONE : (p.picousd / p.quantity / 1e6).toFixed(2);
}

export function Facts({ request }: { request: RequestView }) {
  const ids = request.attempts.map((a) => a.provider_request_id).filter((id) => id !== null);
  const raw = request.finish_reason_raw !== null && request.finish_reason_raw !== request.finish_reason ? ` (${request.finish_reason_raw})` : "";
  return (
    <section>
      <dl className="pairs">
        <Pair name="Started">{exactTime(Number(request.started_at))}</Pair>
        <Pair name="From">{clientOf(request)}{request.dialect === "chat" ? "" : `, ${request.dialect}`}</Pair>
        <Pair name="Asked for">{request.request_model}{request.operation === null || request.operation === "chat" ? "" : `, ${words(request.operation)}`}{request.stream ? ", streamed" : ""}</Pair>
        <Pair name="Answered by">{request.provider === null ? "nobody" : <Line provider={request.provider}>{[request.provider, request.response_model ?? request.model].filter(Boolean).join(" ")}</Line>}</Pair>
        <Pair name="First token">{request.time_to_first_token_ms === null ? NONE : duration(request.time_to_first_token_ms)}</Pair>
        <Pair name="Tokens">{tokensOf(request)}</Pair>
        {request.finish_reason !== null && <Pair name="Finish reason">{words(request.finish_reason)}<span className="t3">{raw}</span></Pair>}
        {request.http_status !== null && <Pair name="Answered with">{request.http_status}</Pair>}
        {ids.length > 0 && <Pair name="Provider’s ids"><span className="mono">{ids.join(", ")}</span></Pair>}
        <Pair name="Our id"><span className="mono">{request.id}</span></Pair>
      </dl>
    </section>
  );
}

const Pair = ({ name, children }: { name: string; children: React.ReactNode }) => (
  <div><dt>{name}</dt><dd className="num">{children}</dd></div>
);

function tokensOf({ usage }: RequestView): string {
  if (usage === null) return "unknown";
  const cached = Number(usage.cache_read) > 0 ? `, ${count(usage.cache_read)} cached` : "";
  const reasoning = Number(usage.reasoning) > 0 ? `, ${count(usage.reasoning)} of them reasoning` : "";
  return `${count(usage.input)} in${cached}, ${count(usage.output)} out${reasoning}`;
}

/** One attempt with everything that is known of it. */
export function AttemptSection({ attempt: a, total }: { attempt: AttemptView; total: number }) {
  const bad = isBad(a);
  return (
    <section aria-label={`Attempt ${Number(a.ordinal) + 1}`}>
      <h2><Line provider={a.provider}>{`${Number(a.ordinal) + 1} ${a.provider} ${a.model}`}</Line><span className="push small t2">{total > 1 ? reasonWords(a.reason) : ""}</span></h2>
      <dl className="pairs">
        <Pair name="Outcome"><LampWord state={bad ? "open" : a.outcome === "ok" ? "ok" : "parked"} word={[words(a.outcome), a.error_kind === null ? "" : words(a.error_kind), a.http_status !== null && a.http_status >= 400 ? `(${a.http_status})` : ""].filter(Boolean).join(" ")} /></Pair>
        <Pair name="Time">{a.duration_ms === null ? "running" : `${duration(a.duration_ms)}${a.time_to_first_token_ms === null ? "" : `, first token after ${duration(a.time_to_first_token_ms)}`}`}</Pair>
        {a.lane !== null && <Pair name="Lane">{a.lane === "verbatim" ? "verbatim: the bytes passed unchanged" : "translated between two protocols"}</Pair>}
        {a.usage !== null && <Pair name="Tokens">{`${count(a.usage.input)} in, ${count(a.usage.output)} out`}</Pair>}
        <Pair name="Cost">{a.cost_picousd === null ? "unknown" : `${moneyRequest(a.cost_picousd)} ${COST_WORDS[a.cost_status]}`}</Pair>
        {a.provider_request_id !== null && <Pair name="Provider’s id"><span className="mono">{a.provider_request_id}</span></Pair>}
      </dl>
      {a.error_message !== null && <p className="break">{a.error_message}</p>}
      {passedOver(a) !== null && <p>{passedOver(a)}</p>}
      {a.notes.length > 0 && (
        <details>
          <summary>What {a.provider} was not told as the client said it</summary>
          <ul>{a.notes.map((note) => <li key={note} className="break">{note}</li>)}</ul>
        </details>
      )}
      {a.error_body !== null && (
        <details>
          <summary>What {a.provider} said</summary>
          <pre className="break">{a.error_body}</pre>
        </details>
      )}
    </section>
  );
}

function passedOver(a: AttemptView): string | null {
  const parts = [a.unknown_frames > 0 ? `${count(a.unknown_frames)} of a kind that Signalbox does not know` : "", a.malformed_frames > 0 ? `${count(a.malformed_frames)} that could not be read` : ""].filter(Boolean);
  return parts.length === 0 ? null : `Pieces passed over in the stream: ${parts.join(", ")}.`;
}

const REMEDIES: Record<string, string> = { none: "passed on as it was", repaired: "mended", withheld: "kept back" };

export function ToolFailureSection({ failure: f }: { failure: ToolFailure }) {
  return (
    <section>
      <h2>{f.tool ?? "Structured answer"}<span className="push small t2">{[words(f.kind), REMEDIES[f.remedy] ?? words(f.remedy), f.repairs === null ? "" : words(f.repairs)].filter(Boolean).join(", ")}</span></h2>
      <p className="break">{f.message}</p>
      <details>
        <summary>As {f.model} wrote it</summary>
        <pre className="break">{f.arguments}</pre>
      </details>
      {f.schema !== null && (
        <details>
          <summary>What it was held against</summary>
          <pre className="break">{f.schema}</pre>
        </details>
      )}
    </section>
  );
}
