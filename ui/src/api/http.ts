import { type AnyEvent, type Backend, ControlError, type EventListener, isRecord } from "./backend";
import type { Commands, WatchItem } from "./bindings";
import { SseParser, type SseFrame } from "./sse";

const TOKEN_KEY = "signalbox.token";
/** Waits between attempts to hear events again: quick at first, then calm. */
const RECONNECT_MS = [250, 500, 1000, 2000, 5000];

/**
 * Takes the token out of the address (`#token=…`) so that it is neither bookmarked nor shown,
 * and keeps it for this tab only.
 */
export function takeToken(location: Location, history: History, storage: Storage): string | null {
  const match = /(?:^#|&)token=([^&]+)/.exec(location.hash);
  if (match?.[1]) {
    storage.setItem(TOKEN_KEY, decodeURIComponent(match[1]));
    history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  }
  return storage.getItem(TOKEN_KEY);
}

/** The core behind `signalboxd`, over loopback HTTP. */
export class HttpBackend implements Backend {
  constructor(
    private readonly token: string | null,
    private readonly base = "",
  ) {}

  async call<K extends keyof Commands>(command: K, args: Commands[K]["args"]): Promise<Commands[K]["result"]> {
    const response = await this.fetch(`/control/${command}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(args ?? {}),
    });
    const text = await response.text();
    const body = parseJson(text);
    if (!response.ok) throw httpError(response.status, body);
    return body as Commands[K]["result"];
  }

  listen(listener: EventListener): () => void {
    const stop = new AbortController();
    void this.keepListening(listener, stop.signal);
    return () => stop.abort();
  }

  watch(messageId: string, since: number, onItem: (item: WatchItem) => void, onLost: (error: ControlError) => void): () => void {
    const stop = new AbortController();
    let ended = false;
    const onFrame = (frame: SseFrame) => {
      const item = parseJson(frame.data) as WatchItem | null;
      if (!item) return;
      if (item.kind === "end") ended = true;
      onItem(item);
    };
    this.stream(`/control/watch/${encodeURIComponent(messageId)}?since=${since}`, stop.signal, () => {}, onFrame)
      .then(() => new ControlError("disconnected", "The answer's stream closed early."), ControlError.from)
      .then((error) => {
        if (!ended && !stop.signal.aborted) onLost(error);
      });
    return () => stop.abort();
  }

  openLink(url: string): Promise<void> {
    window.open(url, "_blank", "noopener,noreferrer");
    return Promise.resolve();
  }

  private async keepListening(listener: EventListener, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await this.stream("/control/events", signal, () => {
          attempt = 0;
          listener.onConnected();
        }, (frame) => {
          const event = eventOf(frame);
          if (event) listener.onEvent(event);
        });
        if (!signal.aborted) listener.onLost(new ControlError("disconnected", "The core closed the connection."));
      } catch (error) {
        if (signal.aborted) return;
        listener.onLost(ControlError.from(error));
      }
      await pause(RECONNECT_MS[Math.min(attempt, RECONNECT_MS.length - 1)] ?? 5000, signal);
    }
  }

  private async stream(path: string, signal: AbortSignal, onOpen: () => void, onFrame: (frame: SseFrame) => void): Promise<void> {
    const response = await this.fetch(path, { signal, headers: { accept: "text/event-stream" } });
    if (!response.ok || !response.body) throw httpError(response.status, parseJson(await response.text()));
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new SseParser();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const frame of parser.push(value)) onFrame(frame);
    }
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token) headers.set("authorization", `Bearer ${this.token}`);
    try {
      return await fetch(this.base + path, { ...init, headers, cache: "no-store" });
    } catch {
      throw new ControlError("unreachable", "signalboxd does not answer. Is it still running?");
    }
  }
}

/** Events arrive named by the `event:` line, or wrapped as `{ name, data }`. */
function eventOf(frame: SseFrame): AnyEvent | null {
  const data = parseJson(frame.data);
  if (frame.event !== "message") return { name: frame.event, data } as AnyEvent;
  if (isRecord(data) && typeof data["name"] === "string") return data as unknown as AnyEvent;
  return null;
}

function httpError(status: number, body: unknown): ControlError {
  if (isRecord(body) && isRecord(body["error"])) return ControlError.from(body);
  if (status === 401) {
    return new ControlError("unauthorized", "This page has no valid token. Open the address that signalboxd printed when it started.");
  }
  return new ControlError("internal", `The core answered with status ${status}.`);
}

function parseJson(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
