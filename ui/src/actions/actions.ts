import { Activity, ChartColumn, FileText, KeyRound, Keyboard, List, MessageSquare, Monitor, Moon, Pause, Plus, RefreshCw, Route, Search, Settings2, Square, Sun, Table2, type LucideIcon } from "lucide-react";
import { go } from "../lib/router";
import { useUi } from "../lib/store";
import { isHandled, type PartAction, perform } from "./bus";

/** A key combination; `mod` is Cmd on a Mac and Ctrl elsewhere. */
export interface Shortcut {
  key: string;
  mod?: boolean;
  shift?: boolean;
  alt?: boolean;
}

/** One thing that a person can do. The palette, the shortcut list and the keys read this list. */
export interface Action {
  id: string;
  label: string;
  group: "Go" | "Chat" | "Settings" | "Window";
  icon: LucideIcon;
  shortcuts: Shortcut[];
  /** Left out of the palette and deaf to its keys while false. */
  enabled(): boolean;
  run(): void;
}

const always = () => true;
const part = (action: PartAction) => ({ enabled: () => isHandled(action), run: () => perform(action) });
const show = () => useUi.getState().show;
const setTheme = (theme: "system" | "light" | "dark") => () => useUi.getState().setTheme(theme);

export const ACTIONS: Action[] = [
  { id: "go-chat", label: "Chat", group: "Go", icon: MessageSquare, shortcuts: [{ key: "1", mod: true }], enabled: always, run: () => go("chat") },
  { id: "go-health", label: "Health", group: "Go", icon: Activity, shortcuts: [{ key: "2", mod: true }], enabled: always, run: () => go("health") },
  { id: "go-spend", label: "Spend", group: "Go", icon: ChartColumn, shortcuts: [{ key: "3", mod: true }], enabled: always, run: () => go("spend") },
  { id: "go-requests", label: "Requests", group: "Go", icon: List, shortcuts: [{ key: "4", mod: true }], enabled: always, run: () => go("requests") },
  { id: "go-routes", label: "Routes", group: "Go", icon: Route, shortcuts: [{ key: "5", mod: true }], enabled: always, run: () => go("routes") },
  { id: "go-settings", label: "Settings", group: "Go", icon: Settings2, shortcuts: [{ key: ",", mod: true }], enabled: always, run: () => go("settings") },
  { id: "new-chat", label: "New chat", group: "Chat", icon: Plus, shortcuts: [{ key: "n", mod: true }], enabled: always, run: () => go("chat") },
  { id: "search-chats", label: "Search all chats", group: "Chat", icon: Search, shortcuts: [{ key: "f", mod: true, shift: true }], ...part("search-chats") },
  { id: "pick-model", label: "Choose the model", group: "Chat", icon: Search, shortcuts: [{ key: "m", mod: true }], ...part("pick-model") },
  { id: "stop", label: "Stop the answer", group: "Chat", icon: Square, shortcuts: [{ key: "Escape" }], ...part("stop") },
  { id: "regenerate", label: "Regenerate the last answer", group: "Chat", icon: RefreshCw, shortcuts: [], ...part("regenerate") },
  { id: "previous-version", label: "Previous version", group: "Chat", icon: MessageSquare, shortcuts: [{ key: "ArrowLeft", alt: true }], ...part("previous-version") },
  { id: "next-version", label: "Next version", group: "Chat", icon: MessageSquare, shortcuts: [{ key: "ArrowRight", alt: true }], ...part("next-version") },
  { id: "add-provider", label: "Add a provider", group: "Settings", icon: KeyRound, shortcuts: [], enabled: always, run: () => { go("settings", "providers"); show()({ kind: "provider", id: null }); } },
  { id: "go-providers", label: "Providers", group: "Settings", icon: KeyRound, shortcuts: [], enabled: always, run: () => go("settings", "providers") },
  { id: "go-clients", label: "Client keys", group: "Settings", icon: KeyRound, shortcuts: [], enabled: always, run: () => go("settings", "clients") },
  { id: "go-port", label: "Port and snippets", group: "Settings", icon: Settings2, shortcuts: [], enabled: always, run: () => go("settings", "port") },
  { id: "go-file", label: "Settings file", group: "Settings", icon: FileText, shortcuts: [], enabled: always, run: () => go("settings", "file") },
  { id: "theme-system", label: "Theme: as the system", group: "Window", icon: Monitor, shortcuts: [], enabled: () => useUi.getState().theme !== "system", run: setTheme("system") },
  { id: "theme-light", label: "Theme: light", group: "Window", icon: Sun, shortcuts: [], enabled: () => useUi.getState().theme !== "light", run: setTheme("light") },
  { id: "theme-dark", label: "Theme: dark", group: "Window", icon: Moon, shortcuts: [], enabled: () => useUi.getState().theme !== "dark", run: setTheme("dark") },
  { id: "toggle-live", label: "Pause or follow the log", group: "Window", icon: Pause, shortcuts: [{ key: "." }], ...part("toggle-live") },
  { id: "search-requests", label: "Search the requests", group: "Window", icon: Search, shortcuts: [{ key: "f", mod: true }, { key: "/" }], ...part("search-requests") },
  { id: "toggle-table", label: "Chart as table", group: "Window", icon: Table2, shortcuts: [{ key: "t" }], ...part("toggle-table") },
  { id: "shortcuts", label: "Keyboard shortcuts", group: "Window", icon: Keyboard, shortcuts: [{ key: "?" }], enabled: always, run: () => show()({ kind: "shortcuts" }) },
  { id: "palette", label: "All actions", group: "Window", icon: Search, shortcuts: [{ key: "k", mod: true }], enabled: always, run: () => show()({ kind: "palette" }) },
];

const isMac = typeof navigator !== "undefined" && /mac/i.test(navigator.platform);

export function keysOf(shortcut: Shortcut): string[] {
  const names: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };
  const key = names[shortcut.key] ?? shortcut.key.toUpperCase();
  return [...(shortcut.mod ? [isMac ? "⌘" : "Ctrl"] : []), ...(shortcut.alt ? [isMac ? "⌥" : "Alt"] : []), ...(shortcut.shift ? ["Shift"] : []), key];
}

export const modKey = isMac ? "⌘" : "Ctrl";
