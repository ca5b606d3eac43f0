import type { MessageView } from "../../api/bindings";
import { count, duration, moneyRequest, plural, rate } from "../../lib/format";
import { testids } from "../../lib/testids";
import { COST_WORDS } from "../../lib/words";

/** Route, attempts, speed, tokens and cost of one answer; the whole line opens its request. */
export function ReceiptLine({ message, streaming, onOpen }: { message: MessageView; streaming: boolean; onOpen(requestId: string): void }) {
  const { receipt } = message;
  if (streaming || receipt === null) {
    return (
      <span className="receipt-line">
        <span className="state">
          {streaming && <i className="run" role="img" aria-label="answer running" />}
          <b>{message.model ?? "unknown"}</b>
        </span>
      </span>
    );
  }
  const { usage } = receipt;
  const known = receipt.cost_picousd !== null && receipt.cost_status !== "unknown";
  return (
    <button type="button" className="receipt-line" data-testid={testids.receipt} title="Open this request" onClick={() => onOpen(receipt.request_id)}>
      <span className="cut" title={[receipt.route, receipt.provider, receipt.model].filter(Boolean).join(", ")}>
        <b>{receipt.route ?? receipt.provider ?? message.model}</b>
        {receipt.route === null && receipt.model !== null && ` ${receipt.model}`}
      </span>
      {receipt.attempts !== 1 && <span>{plural(receipt.attempts, "attempt")}</span>}
      {receipt.time_to_first_token_ms !== null && <span>first token {duration(receipt.time_to_first_token_ms)}</span>}
      {receipt.tokens_per_second !== null && <span>{rate(receipt.tokens_per_second)} tok/s</span>}
      {usage !== null && (
        <>
          <span className="wide">
            {count(usage.input)} in{Number(usage.cache_read) > 0 && `, ${count(usage.cache_read)} cached`}
          </span>
          <span>{count(usage.output)} out</span>
        </>
      )}
      <span>{known ? <><b>{moneyRequest(receipt.cost_picousd)}</b> {COST_WORDS[receipt.cost_status]}</> : "cost unknown"}</span>
    </button>
  );
}
