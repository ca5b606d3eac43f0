import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import { Icon } from "../../components/Icon";
import { ScrollOwner } from "../../lib/scroll-owner";
import { testids } from "../../lib/testids";
import { Message, type MessageActions } from "./Message";
import type { PathNode } from "./tree";

/** The log of one chat. It alone moves the scroll position, through one `ScrollOwner`. */
export function Thread({ path, actions }: { path: PathNode[]; actions: MessageActions }) {
  const log = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const [pinned, setPinned] = useState(true);
  const [owner] = useState(() => new ScrollOwner(setPinned));

  useLayoutEffect(() => {
    const [el, content] = [log.current, inner.current];
    if (!el || !content || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => owner.resized(el));
    observer.observe(el);
    observer.observe(content);
    owner.toEnd(el);
    return () => observer.disconnect();
  }, [owner]);

  const toEnd = useCallback(() => {
    if (log.current) owner.toEnd(log.current);
  }, [owner]);

  // A question just asked is what the reader looks at, wherever the log stood.
  const last = path.at(-1);
  const lastQuestion = path.filter((n) => n.message.role === "user").at(-1)?.message.id;
  const seen = useRef(lastQuestion);
  useEffect(() => {
    if (seen.current !== lastQuestion && last?.message.state === "streaming") toEnd();
    seen.current = lastQuestion;
  }, [lastQuestion, last?.message.state, toEnd]);

  return (
    <div className="log-wrap">
      <div
        className="log"
        role="log"
        aria-label="Messages"
        aria-live="off"
        tabIndex={0}
        ref={log}
        onScroll={(e) => owner.scrolled(e.currentTarget)}
        onWheel={(e) => e.deltaY < 0 && owner.readerMovedUp(e.currentTarget)}
        onKeyDown={(e) => ["PageUp", "Home", "ArrowUp"].includes(e.key) && owner.readerMovedUp(e.currentTarget)}
      >
        <div className="col" ref={inner}>
          <Virtualizer ref={list} scrollRef={log} data={path} bufferSize={600}>
            {(node: PathNode) => <Message key={node.message.id} node={node} actions={actions} />}
          </Virtualizer>
        </div>
      </div>
      {!pinned && (
        <button type="button" className="btn to-end" data-testid={testids.toEnd} onClick={toEnd}>
          <Icon name="end" small />
          To the end
        </button>
      )}
      <Announcer path={path} />
    </div>
  );
}

/** Tells a screen reader that an answer began and how it ended, without reading every delta. */
function Announcer({ path }: { path: PathNode[] }) {
  const last = path.at(-1)?.message;
  const text = last?.role !== "assistant" ? "" : last.state === "streaming" ? "An answer is being written." : last.state === "complete" ? `Answer: ${last.text.slice(0, 2000)}` : `The answer ended: ${last.state}.`;
  return (
    <div className="sr-only" aria-live="polite">
      {text}
    </div>
  );
}
