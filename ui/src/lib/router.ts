import { useSyncExternalStore } from "react";

export type Screen = "chat" | "health" | "spend" | "requests" | "routes" | "settings";

/** Where the window is: kept in the address's fragment, so that a reload comes back to it. */
export interface Place {
  screen: Screen;
  /** The chat's or the request's id, the route's name, or the section of the settings. */
  detail: string | null;
}

const SCREENS: Screen[] = ["chat", "health", "spend", "requests", "routes", "settings"];

export function parsePlace(hash: string): Place {
  const [, screen, detail] = /^#\/([a-z]*)(?:\/([^/?]+))?/.exec(hash) ?? [];
  const known = SCREENS.find((s) => s === screen);
  return { screen: known ?? "chat", detail: known && detail ? decodeURIComponent(detail) : null };
}

export const hrefOf = (screen: Screen, detail?: string | null): string => `#/${screen}${detail ? `/${encodeURIComponent(detail)}` : ""}`;

export function go(screen: Screen, detail?: string | null): void {
  window.location.hash = hrefOf(screen, detail);
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return parsePlace(hash);
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("hashchange", onChange);
  return () => window.removeEventListener("hashchange", onChange);
}
