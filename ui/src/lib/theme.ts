export type Theme = "system" | "light" | "dark";

const KEY = "signalbox.theme";

export function storedTheme(): Theme {
  const value = read();
  return value === "light" || value === "dark" ? value : "system";
}

/** Sets the theme on the document at once and remembers it on this computer. */
export function applyTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A window without storage still shows the theme; it only forgets it.
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
