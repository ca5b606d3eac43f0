import type { Commands, Events, WatchItem } from "./bindings";

/**
 * The only door to the core. `tauri.ts` and `http.ts` implement it; nothing else in the
 * window knows how the core is reached.
 */
export interface Backend {
  /** Runs one command. Rejects with a `ControlError`, never with anything else. */
  call<K extends keyof Commands>(command: K, args: Commands[K]["args"]): Promise<Commands[K]["result"]>;

  /** Hears every event until the returned function is called. Reconnects by itself. */
  listen(listener: EventListener): () => void;

  /**
   * Follows one streaming answer. The first item after a (re)connection is a snapshot when
   * `since` is not the number the core is at. `onLost` is called when the connection ended
   * without an `end` item: the caller decides whether to watch again.
   */
  watch(messageId: string, since: number, onItem: (item: WatchItem) => void, onLost: (error: ControlError) => void): () => void;

  /** Opens a web or mail address outside the window. */
  openLink(url: string): Promise<void>;
}

export interface EventListener {
  onEvent(event: AnyEvent): void;
  /** The connection came (back): whatever was read before may be old. */
  onConnected(): void;
  onLost(error: ControlError): void;
}

export type AnyEvent = { [K in keyof Events]: { name: K; data: Events[K] } }[keyof Events];

/** A refusal by the core, or a failure to reach it (`kind: "unreachable"`). */
export class ControlError extends Error {
  constructor(
    readonly kind: string,
    message: string,
    readonly details: unknown = null,
  ) {
    super(message);
    this.name = "ControlError";
  }

  /** Reads `{ kind, message }` in the shapes both fronts send it. */
  static from(value: unknown): ControlError {
    if (value instanceof ControlError) return value;
    const inner = isRecord(value) && isRecord(value["error"]) ? value["error"] : value;
    if (isRecord(inner) && typeof inner["message"] === "string") {
      const kind = typeof inner["kind"] === "string" ? inner["kind"] : "internal";
      return new ControlError(kind, inner["message"], inner);
    }
    return new ControlError("internal", typeof value === "string" ? value : "The core gave an answer that is not understood.");
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
