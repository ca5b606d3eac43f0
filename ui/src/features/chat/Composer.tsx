import { type KeyboardEvent, useEffect, useLayoutEffect, useRef } from "react";
import type { ModelView } from "../../api/bindings";
import { Icon } from "../../components/Icon";
import { isSendKey } from "../../lib/composing";
import { testids } from "../../lib/testids";
import { ModelPicker } from "./ModelPicker";

interface ComposerProps {
  text: string;
  onText(text: string): void;
  onBlur(): void;
  onSend(): void;
  /** Why nothing can be sent now, or null. */
  blocked: string | null;
  /** An answer is being written: sending waits for it. */
  busy: boolean;
  /** The question that this one becomes a second version of. */
  editing: boolean;
  onCancelEdit(): void;
  error: string | null;
  model: ModelView | null;
  onPick(model: string): void;
  pickerOpen: boolean;
  onPicker(open: boolean): void;
}

const MAX_HEIGHT_PX = 220;

export function Composer(props: ComposerProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const canSend = props.text.trim() !== "" && props.blocked === null && !props.busy;

  useLayoutEffect(() => {
    const el = area.current;
    if (!el) return;
    el.style.height = "auto";
    el.style.height = `${Math.min(MAX_HEIGHT_PX, el.scrollHeight)}px`;
  }, [props.text]);

  useEffect(() => {
    if (props.editing) area.current?.focus();
  }, [props.editing]);

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (!isSendKey(event)) return;
    event.preventDefault();
    if (canSend) props.onSend();
  };

  return (
    <div className="composer">
      <div className="col">
        {props.error !== null && <p className="composer-error" role="alert">{props.error}</p>}
        <div className="box">
          {props.editing && (
            <div className="editing small">
              <span>This becomes a second version of the question. The first stays.</span>
              <button type="button" className="link push" onClick={props.onCancelEdit}>Cancel</button>
            </div>
          )}
          <textarea
            ref={area}
            className="txt"
            rows={1}
            data-testid={testids.composer}
            aria-label="Message"
            placeholder="Ask something. Enter sends, Shift Enter makes a new line"
            value={props.text}
            onChange={(e) => props.onText(e.target.value)}
            onBlur={props.onBlur}
            onKeyDown={onKeyDown}
            spellCheck
            autoFocus
          />
          <div className="foot">
            <ModelPicker value={props.model} open={props.pickerOpen} onOpen={props.onPicker} onPick={props.onPick} />
            <span className="est">{props.blocked ?? (props.busy ? "Send when this answer ends, or stop it with Esc" : "")}</span>
            <button type="button" className="btn primary" data-testid={testids.send} disabled={!canSend} title={props.blocked ?? (props.busy ? "An answer is running" : props.text.trim() === "" ? "Nothing to send yet" : "Send, Enter")} onClick={props.onSend}>
              <Icon name="up" />
              Send
            </button>
          </div>
        </div>
      </div>
    </div>
  );
}
