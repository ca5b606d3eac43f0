/**
 * The line colour of a provider. Known vendors have a hue of their own in theme.css; all
 * others share one and are told apart by name.
 */
const HUES: Record<string, string> = {
  anthropic: "anthropic",
  openai: "openai",
  google: "google",
  gemini: "google",
  deepseek: "deepseek",
  mistral: "mistral",
  groq: "groq",
  xai: "xai",
  alibaba: "qwen",
  qwen: "qwen",
  moonshot: "kimi",
  kimi: "kimi",
  ollama: "local",
  lmstudio: "local",
  llamacpp: "local",
};

/** A CSS colour for a provider's id or kind; an id such as `openai-work` follows its vendor. */
export function hueOf(provider: string | null | undefined): string {
  const id = (provider ?? "").toLowerCase();
  const own = HUES[id] ?? HUES[id.split(/[-_.]/)[0] ?? ""];
  return `var(--line-${own ?? "other"})`;
}

export const isSharedHue = (provider: string): boolean => hueOf(provider) === "var(--line-other)";
