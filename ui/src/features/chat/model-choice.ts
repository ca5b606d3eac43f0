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

const ROUTES = "routes";
const DRILLS = "rehearsal-drills";
/** What comes first and last in the list; all other groups stand between, by name. */
const PLACE: Record<string, number> = { [ROUTES]: -1, [REHEARSAL]: 1, [DRILLS]: 2 };

/** Routes first, then providers by name, the rehearsal last. */
export function groupModels(models: readonly ModelView[], nameOf: (provider: string) => string): ModelGroup[] {
  const labelOf = (key: string): string => (key === ROUTES ? "Routes" : key === DRILLS ? "Rehearsal, misbehaving" : nameOf(key));
  return [...new Set(models.map(groupOf))]
    .map((key) => ({ key, label: labelOf(key), models: models.filter((m) => groupOf(m) === key) }))
    .sort((a, b) => (PLACE[a.key] ?? 0) - (PLACE[b.key] ?? 0) || a.label.localeCompare(b.label));
}

function groupOf(m: ModelView): string {
  if (m.is_route) return ROUTES;
  return isRehearsalModel(m) && m.model.startsWith("drill-") ? DRILLS : (m.provider ?? "");
}
