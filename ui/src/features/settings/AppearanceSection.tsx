import { Seg } from "../../components/Seg";
import { useUi } from "../../lib/store";
import type { Theme } from "../../lib/theme";

const THEMES: { value: Theme; label: string }[] = [
  { value: "system", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

export function AppearanceSection() {
  const theme = useUi((s) => s.theme);
  const setTheme = useUi((s) => s.setTheme);
  return (
    <>
      <div className="sh"><h2>Appearance</h2></div>
      <div className="form rule">
        <div className="form-row">
          <span className="label">Theme</span>
          <Seg label="Theme" value={theme} options={THEMES} onChange={setTheme} />
          <span className="hint">Kept on this computer, for this window</span>
        </div>
      </div>
    </>
  );
}
