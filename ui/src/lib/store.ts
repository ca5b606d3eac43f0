import { create } from "zustand";
import { applyTheme, storedTheme, type Theme } from "./theme";

/** What only the window knows: nothing here is lost with it, and no secret ever enters it. */
interface UiState {
  theme: Theme;
  setTheme(theme: Theme): void;
  overlay: Overlay | null;
  show(overlay: Overlay | null): void;
  /** The model picked for a chat since it was opened; `new` for the chat not yet made. */
  picked: Record<string, string>;
  pick(chatId: string, model: string): void;
  /** The last model picked anywhere, for new chats. */
  lastModel: string | null;
  chatListOpen: boolean;
  setChatListOpen(open: boolean): void;
  connection: "connecting" | "on" | { lost: string };
  setConnection(state: UiState["connection"]): void;
}

export type Overlay =
  | { kind: "palette" }
  | { kind: "shortcuts" }
  | { kind: "request"; id: string }
  | { kind: "models" }
  | { kind: "rename"; chatId: string; title: string }
  | { kind: "delete"; chatId: string; title: string }
  | { kind: "provider"; id: string | null };

const LAST_MODEL = "signalbox.model";

export const useUi = create<UiState>((set) => ({
  theme: storedTheme(),
  setTheme: (theme) => {
    applyTheme(theme);
    set({ theme });
  },
  overlay: null,
  show: (overlay) => set({ overlay }),
  picked: {},
  pick: (chatId, model) => {
    try {
      localStorage.setItem(LAST_MODEL, model);
    } catch {
      // Without storage the pick holds for this window only.
    }
    set((s) => ({ picked: { ...s.picked, [chatId]: model }, lastModel: model }));
  },
  lastModel: typeof localStorage === "undefined" ? null : localStorage.getItem(LAST_MODEL),
  chatListOpen: false,
  setChatListOpen: (chatListOpen) => set({ chatListOpen }),
  connection: "connecting",
  setConnection: (connection) => set({ connection }),
}));
