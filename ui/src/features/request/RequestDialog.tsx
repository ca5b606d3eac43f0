import type { AttemptView, RequestView } from "../../api/bindings";
import { useRead } from "../../api/queries";
import { CopyButton } from "../../components/CopyButton";
import { LampWord } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { Modal } from "../../components/Modal";
import { count, duration, exactTime, moneyLine, moneyRequest, NONE } from "../../lib/format";
import { testids } from "../../lib/testids";
import { COST_WORDS, words } from "../../lib/words";

/** The evidence behind a receipt: how the request went, attempt by attempt, and how its cost adds up. */
export function RequestDialog({ id, onClose }: { id: string; onClose(): void }) {
  const { data, error, isPending } = useRead("requests.get", { id }, {});
  return (
    <Modal title="Request" wide onClose={onClose} testId={testids.requestDetail}>
      {error && <p className="pad" role="alert">{error.message}</p>}
      {isPending && <p className="pad t3">Reading the request</p>}
      {data && <Detail request={data} />}
    </Modal>
  );
}

function Detail({ request }: { request: RequestView }) {
  return (
    <div className="modal-scroll">
      <dl className="facts">
        <Fact name="Started">{exactTime(Number(request.started_at))}</Fact>
        <Fact name="From">{request.client ?? "this window"}</Fact>
        <Fact name="Asked for">{request.request_model}</Fact>
        <Fact name="Answered by">{request.provider === null ? "nobody" : <Line provider={request.provider}>{[request.provider, request.response_model].filter(Boolean).join(" ")}</Line>}</Fact>
        <Fact name="Outcome">{outcomeOf(request)}</Fact>
        <Fact name="Finish reason">{request.finish_reason === null ? NONE : `${words(request.finish_reason)}${request.finish_reason_raw && request.finish_reason_raw !== request.finish_reason ? ` (${request.finish_reason_raw})` : ""}`}</Fact>
        <Fact name="First token">{duration(request.time_to_first_token_ms)}</Fact>
        <Fact name="Whole time">{duration(request.duration_ms)}</Fact>
        <Fact name="Tokens">{tokensOf(request)}</Fact>
        <Fact name="Cost">{request.cost_picousd === null ? "unknown" : `${moneyRequest(request.cost_picousd)} ${COST_WORDS[request.cost_status]}`}</Fact>
      </dl>
      {request.error_message !== null && <p className="pad t2 break">{request.error_message}</p>}
      {request.cost_notes.map((note) => <p key={note} className="pad t2 small break">{note}</p>)}
      <Attempts attempts={request.attempts} />
      {request.cost_lines.length > 0 && <CostLines request={request} />}
      <div className="pad row small t3">
        <code className="cut" title={request.id}>{request.id}</code>
        <CopyButton text={request.id} label="Copy id" quiet />
      </div>
    </div>
  );
}

const Fact = ({ name, children }: { name: string; children: React.ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd className="num">{children}</dd>
  </div>
);

function outcomeOf(r: RequestView): string {
  const http = r.http_status === null ? "" : ` (${r.http_status})`;
  return r.error_kind === null ? `${words(r.status)}${http}` : `${words(r.status)}: ${words(r.error_kind)}${http}`;
}

function tokensOf({ usage }: RequestView): string {
  if (usage === null) return "unknown";
  const cached = Number(usage.cache_read) > 0 ? `, ${count(usage.cache_read)} cached` : "";
  const reasoning = Number(usage.reasoning) > 0 ? `, ${count(usage.reasoning)} of them reasoning` : "";
  return `${count(usage.input)} in${cached}, ${count(usage.output)} out${reasoning}`;
}

const isGood = (a: AttemptView): boolean => a.error_kind === null && !/fail|error|interrupt|truncat/.test(a.outcome);

function Attempts({ attempts }: { attempts: AttemptView[] }) {
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label="Attempts">
      <table>
        <thead>
          <tr><th>Attempt</th><th>Provider and model</th><th>Outcome</th><th className="r">First token</th><th className="r">Time</th><th className="r">Cost</th></tr>
        </thead>
        <tbody>
          {attempts.map((a) => (
            <tr key={a.id}>
              <td>{Number(a.ordinal) + 1}</td>
              <td title={a.lane === "verbatim" ? "The bytes passed through unchanged" : undefined}><Line provider={a.provider}>{`${a.provider} ${a.model}`}</Line></td>
              <td title={a.error_message ?? undefined}>
                <LampWord state={isGood(a) ? "ok" : "open"} word={[words(a.outcome), a.error_kind ? words(a.error_kind) : "", a.http_status && a.http_status >= 400 ? `(${a.http_status})` : ""].filter(Boolean).join(" ")} />
              </td>
              <td className="r">{a.time_to_first_token_ms === null ? NONE : duration(a.time_to_first_token_ms)}</td>
              <td className="r">{a.duration_ms === null ? NONE : duration(a.duration_ms)}</td>
              <td className="r">{moneyRequest(a.cost_picousd)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {attempts.filter((a) => a.notes.length > 0).map((a) => (
        <details key={`${a.id}-notes`} className="pad small">
          <summary>What {a.provider} was not told as the client said it</summary>
          <ul>{a.notes.map((note) => <li key={note} className="break">{note}</li>)}</ul>
        </details>
      ))}
      {attempts.filter((a) => a.unknown_frames + a.malformed_frames > 0).map((a) => (
        <p key={`over-${a.id}`} className="pad small t2">{passedOver(a)}</p>
      ))}
      {attempts.filter((a) => a.error_body !== null).map((a) => (
        <details key={a.id} className="pad small">
          <summary>What {a.provider} said</summary>
          <pre className="break">{a.error_body}</pre>
        </details>
      ))}
    </div>
  );
}

function passedOver(a: AttemptView): string {
  const [unknown, malformed] = [a.unknown_frames, a.malformed_frames];
  const parts = [unknown > 0 ? `${count(unknown)} of a kind that Signalbox does not know` : "", malformed > 0 ? `${count(malformed)} that could not be read` : ""];
  return `Pieces passed over in the stream of attempt ${a.ordinal + 1}: ${parts.filter(Boolean).join(", ")}.`;
}

function CostLines({ request }: { request: RequestView }) {
  return (
    <table>
      <thead><tr><th>Cost line</th><th className="r">Quantity</th><th className="r">Cost</th></tr></thead>
      <tbody>
        {request.cost_lines.map((line, i) => (
          <tr key={i}><td>{words(line.label)}{line.model !== null && <span className="t3"> {line.model}</span>}</td><td className="r">{count(line.quantity)}</td><td className="r">{moneyLine(line.cost_picousd)}</td></tr>
        ))}
        <tr className="total"><td>Sum</td><td /><td className="r">{moneyLine(request.cost_picousd)}</td></tr>
      </tbody>
    </table>
  );
}
