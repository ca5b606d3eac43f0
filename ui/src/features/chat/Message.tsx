import { RefreshCw, SquarePen } from "lucide-react";
import { type CSSProperties, memo, useState } from "react";
import type { MessageView, ToolCallView } from "../../api/bindings";
import { CopyButton } from "../../components/CopyButton";
import { Icon, Lucide } from "../../components/Icon";
import { Lamp } from "../../components/Lamp";
import { Markdown } from "../../components/Markdown";
import { count } from "../../lib/format";
import { hueOf } from "../../lib/hues";
import { testids } from "../../lib/testids";
import { endNote } from "./end-note";
import { ReceiptLine } from "./ReceiptLine";
import { Seam } from "./Seam";
import { useStream } from "./streams";
import type { PathNode } from "./tree";

export interface MessageActions {
  stop(message: MessageView): void;
  regenerate(message: MessageView): void;
  edit(message: MessageView): void;
  choose(messageId: string): void;
  openRequest(requestId: string): void;
}

export const Message = memo(({ node, actions }: { node: PathNode; actions: MessageActions }) =>
  node.message.role === "user" ? <Question node={node} actions={actions} /> : <Answer node={node} actions={actions} />,
);

function Question({ node, actions }: { node: PathNode; actions: MessageActions }) {
  const { message } = node;
  return (
    <div className="me" data-testid={testids.messageUser} data-state={message.state} data-message={message.id}>
      <span className="me-text">{message.text}</span>
      <span className="me-acts">
        <button type="button" className="btn quiet icon small on-hover" aria-label="Ask differently" title="Ask differently: makes a second version" onClick={() => actions.edit(message)}>
          <Lucide of={SquarePen} small />
        </button>
        <Siblings node={node} of="question" onChoose={actions.choose} />
      </span>
    </div>
  );
}

function Answer({ node, actions }: { node: PathNode; actions: MessageActions }) {
  const { message } = node;
  const stream = useStream(message.id);
  const settled = message.state !== "streaming" ? message : stream.final;
  const streaming = settled === null;
  const view = settled ?? { ...message, text: stream.text || message.text, reasoning: stream.reasoning || message.reasoning, tool_calls: stream.toolCalls.length > 0 ? stream.toolCalls : message.tool_calls };
  const hue = hueOf(view.receipt?.provider ?? view.model?.split("/")[0]);
  return (
    <article className="ans" data-testid={testids.messageAssistant} data-state={view.state} data-message={view.id} aria-busy={streaming}>
      <div className="part first last" style={{ "--hue": hue } as CSSProperties}>
        {view.reasoning !== "" && <Reasoning text={view.reasoning} tokens={view.receipt?.usage?.reasoning ?? null} live={streaming && view.text === ""} />}
        {view.text !== "" && <Markdown text={view.text} streaming={streaming} />}
        {view.tool_calls.map((call) => (
          <ToolCard key={call.id} call={call} />
        ))}
        {streaming && view.text === "" && view.reasoning === "" && view.tool_calls.length === 0 && <p className="t3 waiting">Waiting for the first token</p>}
        {view.receipt !== null && view.receipt.attempts > 1 && <Seam requestId={view.receipt.request_id} onOpen={actions.openRequest} />}
        <EndNote message={view} actions={actions} />
        <div className="receipt">
          <ReceiptLine message={view} streaming={streaming} onOpen={actions.openRequest} />
          <span className="acts">
            {streaming ? (
              <button type="button" className="btn small" data-testid={testids.stop} onClick={() => actions.stop(view)}>
                <Icon name="stop" small />
                Stop<kbd className="hide-n">Esc</kbd>
              </button>
            ) : (
              <>
                {view.text !== "" && <CopyButton text={view.text} quiet icon label="Copy this answer" />}
                <button type="button" className="btn quiet small icon" data-testid={testids.regenerate} aria-label="Regenerate" title="Regenerate: another answer beside this one" onClick={() => actions.regenerate(view)}>
                  <Lucide of={RefreshCw} small />
                </button>
              </>
            )}
            <Siblings node={node} of="answer" onChoose={actions.choose} />
          </span>
        </div>
      </div>
    </article>
  );
}

/** `‹ 2 / 3 ›`: the versions of one question or answer. */
export function Siblings({ node, of, onChoose }: { node: PathNode; of: "question" | "answer"; onChoose(id: string): void }) {
  const { siblings, index } = node;
  if (siblings.length < 2) return null;
  const step = (to: number) => {
    const id = siblings[to];
    if (id) onChoose(id);
  };
  return (
    <span className="sib" role="group" aria-label={`Version ${index + 1} of ${siblings.length} of this ${of}`} data-testid={testids.siblings}>
      <button type="button" aria-label="Previous version" disabled={index === 0} onClick={() => step(index - 1)}>
        <Icon name="left" />
      </button>
      {index + 1} / {siblings.length}
      <button type="button" aria-label="Next version" disabled={index === siblings.length - 1} onClick={() => step(index + 1)}>
        <Icon name="right" />
      </button>
    </span>
  );
}

function Reasoning({ text, tokens, live }: { text: string; tokens: number | null; live: boolean }) {
  const [open, setOpen] = useState(false);
  const lastLine = text.trimEnd().split("\n").at(-1) ?? "";
  return (
    <>
      <button type="button" className="fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name={open ? "down" : "right"} />
        {live ? "Thinking" : "Thought"}
        {tokens !== null && tokens > 0 && <span className="t3 num">, {count(tokens)} tokens</span>}
        {live && !open && <span className="t3 cut thought">{lastLine}</span>}
      </button>
      {open && <div className="thoughts">{text}</div>}
    </>
  );
}

function ToolCard({ call }: { call: ToolCallView }) {
  const [open, setOpen] = useState(false);
  const pretty = prettyJson(call.arguments);
  return (
    <div className="tool-card">
      <button type="button" className="tool" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="tool" small />
        <code>{call.name}</code>
        <code className="args cut">{call.arguments}</code>
        <span className="push state t2">
          <Lamp state={pretty === null ? "degraded" : "ok"} />
          {pretty === null ? "arguments are not JSON" : "asked for, not run"}
        </span>
      </button>
      {open && (
        <pre tabIndex={0}>
          <code className="b">{pretty ?? call.arguments}</code>
        </pre>
      )}
    </div>
  );
}

function prettyJson(text: string): string | null {
  if (text.trim() === "") return "{}";
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

function EndNote({ message, actions }: { message: MessageView; actions: MessageActions }) {
  const note = endNote(message);
  if (note === null) return null;
  return (
    <p className="end-note" role={message.state === "failed" ? "alert" : undefined}>
      <Lamp state={note.lamp} />
      <span>{note.text}</span>
      {message.request_id !== null && (
        <button type="button" className="link" onClick={() => message.request_id && actions.openRequest(message.request_id)}>
          Why
        </button>
      )}
    </p>
  );
}
