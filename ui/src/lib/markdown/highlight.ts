import DOMPurify from "dompurify";
import type { HighlightDone, HighlightJob } from "./highlight.worker";

/** Past this, colours cost more than they tell. */
const MAX_CODE_CHARS = 120_000;
const MAX_CACHED = 200;

const cache = new Map<string, string>();
const waiting = new Map<number, (html: string | null) => void>();
let worker: Worker | null = null;
let nextId = 1;

const keyOf = (lang: string, code: string): string => `${lang}\n${code}`;

/** Colours that are already known, so that a block that scrolls back in does not flash. */
export const highlighted = (lang: string, code: string): string | null => cache.get(keyOf(lang, code)) ?? null;

/** Colours a closed fence in a worker. Null where there are none to be had. */
export async function highlight(lang: string, code: string): Promise<string | null> {
  if (!lang || code.length > MAX_CODE_CHARS || typeof Worker === "undefined") return null;
  const known = highlighted(lang, code);
  if (known !== null) return known;
  const html = await ask({ id: nextId++, lang, code });
  if (html === null) return null;
  const safe = DOMPurify.sanitize(html, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"] });
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value ?? "");
  cache.set(keyOf(lang, code), safe);
  return safe;
}

function ask(job: HighlightJob): Promise<string | null> {
  if (worker === null) {
    worker = new Worker(new URL("./highlight.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = (event: MessageEvent<HighlightDone>) => {
      waiting.get(event.data.id)?.(event.data.html);
      waiting.delete(event.data.id);
    };
    worker.onerror = () => {
      for (const done of waiting.values()) done(null);
      waiting.clear();
    };
  }
  return new Promise((resolve) => {
    waiting.set(job.id, resolve);
    worker?.postMessage(job);
  });
}
