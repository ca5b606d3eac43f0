/** One server-sent event. */
export interface SseFrame {
  event: string;
  data: string;
}

/**
 * Splits a text stream into server-sent events. `EventSource` would do this for us, but it
 * cannot send the header that carries the token.
 */
export class SseParser {
  private rest = "";
  private event = "";
  private data: string[] = [];

  push(text: string): SseFrame[] {
    this.rest += text;
    const frames: SseFrame[] = [];
    for (;;) {
      const end = this.rest.search(/[\r\n]/);
      if (end < 0) break;
      // A lone CR at the very end may be the first half of CR LF.
      if (this.rest[end] === "\r" && end === this.rest.length - 1) break;
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (this.rest[end] === "\r" && this.rest[end + 1] === "\n" ? 2 : 1));
      const frame = this.line(line);
      if (frame) frames.push(frame);
    }
    return frames;
  }

  private line(line: string): SseFrame | null {
    if (line === "") {
      const frame = this.data.length > 0 ? { event: this.event || "message", data: this.data.join("\n") } : null;
      this.event = "";
      this.data = [];
      return frame;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    if (field === "event") this.event = value;
    return null;
  }
}
