import type { Backend } from "./backend";
import { HttpBackend, takeToken } from "./http";

let current: Backend | null = null;

/** The core this window talks to: Tauri's when the desktop hosts us, signalboxd's otherwise. */
export async function connect(): Promise<Backend> {
  if ("__TAURI_INTERNALS__" in window) {
    const { TauriBackend } = await import("./tauri");
    current = new TauriBackend();
  } else {
    current = new HttpBackend(takeToken(window.location, window.history, window.sessionStorage));
  }
  return current;
}

/** Puts a backend in place; `main.tsx` and the tests do this once before anything renders. */
export function setBackend(backend: Backend): void {
  current = backend;
}

export function backend(): Backend {
  if (!current) throw new Error("The core was asked before the window was connected to it.");
  return current;
}
