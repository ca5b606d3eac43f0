import type { MessageView, ToolCallView, WatchItem } from "../../api/bindings";

/** What the window knows of an answer that is being written. */
export interface StreamState {
  seq: number;
  text: string;
  reasoning: string;
  toolCalls: ToolCallView[];
  /** The settled message, once the stream ended. */
  final: MessageView | null;
}

export const EMPTY_STREAM: StreamState = { seq: 0, text: "", reasoning: "", toolCalls: [], final: null };

/** `"gap"` asks the caller to watch again from the number in `state`. */
export type StreamStep = { state: StreamState; gap: boolean };

/**
 * Applies one item of a watch. Items that were already seen change nothing; a missing number
 * is a gap, after which only a snapshot may be trusted.
 */
export function applyItem(state: StreamState, item: WatchItem): StreamStep {
  switch (item.kind) {
    case "snapshot":
      return {
        gap: false,
        state: {
          seq: Number(item.seq),
          text: item.text ?? "",
          reasoning: item.reasoning ?? "",
          toolCalls: item.tool_calls ?? [],
          final: null,
        },
      };
    case "delta": {
      const seq = Number(item.seq);
      if (seq <= state.seq) return { state, gap: false };
      if (seq !== state.seq + 1) return { state, gap: true };
      return {
        gap: false,
        state: {
          ...state,
          seq,
          text: state.text + (item.text ?? ""),
          reasoning: state.reasoning + (item.reasoning ?? ""),
          toolCalls: mergeToolCalls(state.toolCalls, item.tool_calls ?? []),
        },
      };
    }
    case "end":
      return { gap: false, state: { ...state, seq: Number(item.seq), final: item.message ?? null } };
  }
}

/** Later views of the same call replace earlier ones; new calls come last. */
function mergeToolCalls(known: ToolCallView[], news: ToolCallView[]): ToolCallView[] {
  if (news.length === 0) return known;
  const merged = [...known];
  for (const call of news) {
    const at = merged.findIndex((k) => k.id === call.id);
    if (at < 0) merged.push(call);
    else merged[at] = call;
  }
  return merged;
}
