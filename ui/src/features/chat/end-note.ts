import type { LampState, MessageView } from "../../api/bindings";
import { duration, plural } from "../../lib/format";
import { words } from "../../lib/words";

/** One quiet line for an answer that did not end by itself: what happened, and what to do. */
export function endNote(message: MessageView): { lamp: LampState; text: string } | null {
  const what = message.error?.message.trim().replace(/[.\s]+$/, "") ?? "";
  const cause = what || (message.error ? words(message.error.kind) : "");
  switch (message.state) {
    case "complete":
      return finishNote(message);
    case "streaming":
      return null;
    case "stopped":
      return { lamp: "parked", text: stoppedText(message) };
    case "truncated":
      return { lamp: "degraded", text: `${cause || "The provider’s stream ended early"}. What arrived is kept; regenerate for a whole answer.` };
    case "interrupted":
      return { lamp: "degraded", text: `${cause || "Signalbox was closed while this was being written"}. What had arrived is kept; regenerate for a whole answer.` };
    case "failed":
      return { lamp: "open", text: `${cause || "The request failed"}. ${message.text === "" ? "Nothing was written." : "What arrived is kept."} ${adviceFor(message.error?.kind ?? "")}` };
  }
}

function stoppedText(message: MessageView): string {
  const { receipt } = message;
  const after = receipt?.duration_ms != null ? ` after ${duration(receipt.duration_ms)}` : "";
  const output = receipt?.usage?.output;
  if (message.text === "" && message.reasoning === "") return `Stopped${after}, before the first token.`;
  return output ? `Stopped${after}. ${plural(Number(output), "token")} were paid for and are kept.` : `Stopped${after}. What had arrived is kept.`;
}

/** An answer that ended in order, but for a reason worth a word. */
function finishNote(message: MessageView): { lamp: LampState; text: string } | null {
  switch (message.receipt?.finish_reason) {
    case "length":
      return { lamp: "degraded", text: "The answer reached its token limit. Ask it to go on." };
    case "content_filter":
    case "safety":
      return { lamp: "degraded", text: "The provider’s safety filter ended this answer. Ask differently, or choose another model." };
    default:
      return message.text === "" && message.reasoning === "" && message.tool_calls.length === 0 ? { lamp: "degraded", text: "The provider sent an empty answer. Regenerate, or choose another model." } : null;
  }
}

const ADVICE: Record<string, string> = {
  rate_limited: "Wait a moment and regenerate, or choose another model.",
  overloaded: "Wait a moment and regenerate, or choose another model.",
  authentication: "Check the provider’s key in Settings.",
  permission: "Check what this key may use, or choose another model.",
  quota: "Check the provider’s balance, or choose another model.",
  context_too_long: "Shorten the chat, or choose a model with a larger window.",
  unknown_model: "Choose another model.",
  content_filtered: "Ask differently, or choose another model.",
  timeout: "Regenerate, or choose another model.",
  network: "Check the connection, then regenerate.",
  no_key: "Add the provider’s key in Settings.",
};

export const adviceFor = (kind: string): string => ADVICE[kind] ?? "Regenerate, or choose another model.";
