import { memo, type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import { toast } from "sonner";
import { backend } from "../api";
import { highlight, highlighted } from "../lib/markdown/highlight";
import { type Block, renderBlocks, sanitize } from "../lib/markdown/render";
import { Splitter } from "../lib/markdown/splitter";
import { CopyButton, copyText } from "./CopyButton";

/** An answer's text. While it streams, each settled block is parsed and drawn once. */
export function Markdown({ text, streaming }: { text: string; streaming: boolean }) {
  return (
    <div className="md" onClick={openLink}>
      {streaming ? <Growing text={text} /> : <Whole text={text} />}
    </div>
  );
}

function Whole({ text }: { text: string }) {
  const blocks = useMemo(() => renderBlocks(text), [text]);
  return <>{blocks.map((block, i) => <BlockView key={i} block={block} open={false} />)}</>;
}

function Growing({ text }: { text: string }) {
  const ref = useRef<{ splitter: Splitter; text: string } | null>(null);
  // A snapshot may replace what was there; only then is the text read from its start again.
  if (ref.current === null || !text.startsWith(ref.current.text)) ref.current = { splitter: new Splitter(), text: "" };
  if (text.length > ref.current.text.length) {
    ref.current.splitter.push(text.slice(ref.current.text.length));
    ref.current.text = text;
  }
  const { settled, tail, openFence } = ref.current.splitter.draw();
  return (
    <>
      {settled.map((block, i) => <BlockView key={i} block={block} open={false} />)}
      {tail.map((block, i) => <BlockView key={settled.length + i} block={block} open={openFence} />)}
    </>
  );
}

const BlockView = memo(
  ({ block, open }: { block: Block; open: boolean }) => (block.kind === "code" ? <CodeBlock lang={block.lang} code={block.code} open={open} /> : <Html html={block.html} />),
  (a, b) => a.open === b.open && same(a.block, b.block),
);

function same(a: Block, b: Block): boolean {
  if (a === b) return true;
  if (a.kind === "html") return b.kind === "html" && a.html === b.html;
  return b.kind === "code" && a.lang === b.lang && a.code === b.code;
}

function Html({ html }: { html: string }) {
  const safe = useMemo(() => ({ __html: sanitize(html) }), [html]);
  return <div className="md-block" dangerouslySetInnerHTML={safe} />;
}

const LINES_A_CHUNK = 50;

/** A fence: plain text while it is written, coloured by a worker once it closed. */
export function CodeBlock({ lang, code, open }: { lang: string; code: string; open: boolean }) {
  const body = code.endsWith("\n") ? code.slice(0, -1) : code;
  const colours = useColours(lang, body, open);
  return (
    <div className="code">
      <div className="h">
        {lang || "text"}
        <span className="push">
          <CopyButton text={body} quiet />
        </span>
      </div>
      <pre tabIndex={0} aria-label={lang ? `Code, ${lang}` : "Code"}>
        {colours === null ? <PlainCode code={body} /> : <code className="b" dangerouslySetInnerHTML={{ __html: colours }} />}
      </pre>
    </div>
  );
}

function useColours(lang: string, code: string, open: boolean): string | null {
  const [done, setDone] = useState<{ code: string; html: string | null } | null>(null);
  const known = open ? null : highlighted(lang, code);
  useEffect(() => {
    if (open || known !== null) return;
    let on = true;
    void highlight(lang, code).then((html) => on && setDone({ code, html }));
    return () => {
      on = false;
    };
  }, [lang, code, open, known]);
  return known ?? (!open && done?.code === code ? done.html : null);
}

/** Long code in pieces, so that a growing fence redraws only its last piece. */
function PlainCode({ code }: { code: string }) {
  const lines = code.split("\n");
  if (lines.length <= LINES_A_CHUNK) return <code className="b">{code}</code>;
  const chunks: string[] = [];
  for (let i = 0; i < lines.length; i += LINES_A_CHUNK) chunks.push(lines.slice(i, i + LINES_A_CHUNK).join("\n"));
  return (
    <code className="b">
      {chunks.map((chunk, i) => (
        <Chunk key={i} text={chunk} />
      ))}
    </code>
  );
}

const Chunk = memo(({ text }: { text: string }) => <span className="chunk">{`${text}\n`}</span>);

/** Links leave the window through the core; where it cannot open them, the address is copied. */
function openLink(event: MouseEvent<HTMLElement>): void {
  const anchor = event.target instanceof Element ? event.target.closest("a[href]") : null;
  const href = anchor?.getAttribute("href");
  if (!href) return;
  event.preventDefault();
  if (!/^(https?:|mailto:)/i.test(href)) return;
  backend()
    .openLink(href)
    .catch(async () => {
      const copied = await copyText(href);
      toast(copied ? "No browser could be opened. The address was copied." : `No browser could be opened: ${href}`);
    });
}
