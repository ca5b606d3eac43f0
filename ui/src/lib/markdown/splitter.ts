import { type Block, type Env, langOf, parseBlocks, renderBlocks } from "./render";

/** What is to be drawn now: `settled` only ever grows, `tail` may change with each delta. */
export interface Drawn {
  settled: Block[];
  tail: Block[];
  /** The last block of `tail` is a fence that is still being written. */
  openFence: boolean;
}

interface OpenFence {
  lang: string;
  marker: string;
  indent: number;
  /** Whole lines inside the fence so far. */
  lines: string[];
  /** Where the line now being written begins, in `tail`. */
  at: number;
}

const FENCE_OPEN = /^( {0,3})(`{3,}|~{3,})([^\n]*)$/;

/**
 * Renders a growing Markdown text, parsing each settled block once.
 *
 * Markdown's blocks are decided line by line: once a further block of the top level has
 * begun on a whole line, nothing that follows can change the ones before it. So all but the
 * last block are settled, and only the last is parsed again. Inside a fence not even that
 * happens: its lines are text until it closes.
 *
 * The one thing that reaches backwards is a link definition; `finish` renders the whole text
 * once more if it holds any.
 */
export class Splitter {
  private readonly settled: Block[] = [];
  private readonly env: Env = {};
  private text = "";
  private tail = "";
  private held = "";
  private fence: OpenFence | null = null;

  /** Takes what was added at the end. */
  push(added: string): void {
    // The parser counts lines after it made each CR, LF and CR LF one line end; so do we. A CR
    // at the very end waits, because its LF may come with the next delta.
    const raw = this.held + added;
    this.held = raw.endsWith("\r") ? "\r" : "";
    const plain = raw.slice(0, raw.length - this.held.length).replace(/\r\n?/g, "\n");
    this.text += plain;
    this.tail += plain;
    if (this.fence === null) this.settle();
    while (this.fence !== null && this.advanceFence()) this.settle();
  }

  draw(): Drawn {
    if (this.fence !== null) {
      const open = this.tail.slice(this.fence.at);
      const code = [...this.fence.lines, ...(open ? [strip(open, this.fence.indent)] : [])].join("\n");
      return { settled: this.settled, tail: [{ kind: "code", lang: this.fence.lang, code }], openFence: true };
    }
    const copy = { references: { ...this.env.references } };
    return { settled: this.settled, tail: this.tail.trim() === "" ? [] : renderBlocks(this.tail, copy), openFence: false };
  }

  /** The whole text, equal to rendering it at once. */
  finish(): Block[] {
    if (this.held) {
      this.held = "";
      this.push("\n");
    }
    const env: Env = { ...this.env };
    const tail = this.tail === "" ? [] : renderBlocks(this.tail, env);
    const defines = Object.keys(env.references ?? {}).length > 0;
    return defines ? renderBlocks(this.text) : [...this.settled, ...tail];
  }

  /** Moves every block that can no longer change out of the tail. */
  private settle(): void {
    const end = this.tail.lastIndexOf("\n") + 1;
    if (end === 0) return;
    const whole = this.tail.slice(0, end);
    const env: Env = { references: { ...this.env.references } };
    const placed = parseBlocks(whole, env);
    const last = placed.at(-1);
    if (!last) return;
    if (placed.length > 1) {
      const cut = offsetOfLine(whole, last.line);
      // Parsed apart from the last block, so that only definitions of settled text are kept.
      this.settled.push(...renderBlocks(whole.slice(0, cut), this.env));
      this.tail = this.tail.slice(cut);
    }
    this.openFenceAtTail();
  }

  private openFenceAtTail(): void {
    const lead = /^(?:[ \t]*\n)*/.exec(this.tail)?.[0].length ?? 0;
    const eol = this.tail.indexOf("\n", lead);
    if (eol < 0) return;
    const match = FENCE_OPEN.exec(this.tail.slice(lead, eol));
    if (!match || (match[2]?.startsWith("`") && match[3]?.includes("`"))) return;
    this.fence = { indent: match[1]?.length ?? 0, marker: match[2] ?? "```", lang: langOf(match[3] ?? ""), lines: [], at: eol + 1 };
  }

  /** Reads whole lines of the open fence; true when it closed and the tail may be settled. */
  private advanceFence(): boolean {
    const fence = this.fence;
    if (fence === null) return false;
    const close = new RegExp(`^ {0,3}\\${fence.marker[0]}{${fence.marker.length},}[ \\t]*$`);
    for (;;) {
      const eol = this.tail.indexOf("\n", fence.at);
      if (eol < 0) return false;
      const line = this.tail.slice(fence.at, eol);
      fence.at = eol + 1;
      if (close.test(line)) {
        this.settled.push(...renderBlocks(this.tail.slice(0, fence.at), this.env));
        this.tail = this.tail.slice(fence.at);
        this.fence = null;
        return true;
      }
      fence.lines.push(strip(line, fence.indent));
    }
  }
}

function strip(line: string, indent: number): string {
  let n = 0;
  while (n < indent && line[n] === " ") n += 1;
  return line.slice(n);
}

function offsetOfLine(text: string, line: number): number {
  let at = 0;
  for (let n = 0; n < line; n += 1) at = text.indexOf("\n", at) + 1;
  return at;
}
