import type { ModelView } from "../../api/bindings";

export const REHEARSAL = "rehearsal";
/** The rehearsal's even-tempered model; the others each have a habit. */
const REHEARSAL_DEFAULT = "rehearsal/steady";

export const isRehearsalModel = (model: { provider: string | null }): boolean => model.provider === REHEARSAL;

/**
 * The model a chat uses: what was picked for it, else what it used last, else the last pick
 * anywhere; at first a route, then a real model, and the rehearsal while there is no key.
 */
export function modelFor(models: readonly ModelView[], wanted: (string | null | undefined)[]): ModelView | null {
  for (const id of wanted) {
    const found = id ? models.find((m) => m.id === id) : undefined;
    if (found) return found;
  }
  const real = models.filter((m) => !m.is_route && !isRehearsalModel(m));
  return models.find((m) => m.is_route) ?? real.find(isForChat) ?? real[0] ?? models.find((m) => m.id === REHEARSAL_DEFAULT) ?? models[0] ?? null;
}

/** Providers list all that they serve; what these names stand for does not hold a conversation. */
const NOT_FOR_CHAT = /guard|embed|whisper|tts|audio|image|moderation|ocr|rerank|transcri|realtime|speech|safeguard/i;

/** A first choice is one that we know a price of and that can talk. */
const isForChat = (m: ModelView): boolean => m.output_usd_per_mtok !== null && m.context_window !== null && !NOT_FOR_CHAT.test(m.model);

export interface ModelGroup {
  key: string;
  label: string;
  models: ModelView[];
}

/** Routes first, then providers by name, the rehearsal last. */
export function groupModels(models: readonly ModelView[], nameOf: (provider: string) => string): ModelGroup[] {
  const routes = models.filter((m) => m.is_route);
  const providers = [...new Set(models.filter((m) => !m.is_route).map((m) => m.provider ?? ""))];
  const groups = providers
    .map((p) => ({ key: p, label: nameOf(p), models: models.filter((m) => !m.is_route && (m.provider ?? "") === p) }))
    .sort((a, b) => Number(a.key === REHEARSAL) - Number(b.key === REHEARSAL) || a.label.localeCompare(b.label));
  return routes.length > 0 ? [{ key: "routes", label: "Routes", models: routes }, ...groups] : groups;
}
