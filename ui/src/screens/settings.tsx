import { ClientsSection } from "../features/clients/ClientsSection";
import { ProvidersSection } from "../features/providers/ProvidersSection";
import { AppearanceSection } from "../features/settings/AppearanceSection";
import { FileSection } from "../features/settings/FileSection";
import { PortSection } from "../features/settings/PortSection";
import { hrefOf } from "../lib/router";

const SECTIONS = [
  { id: "providers", label: "Providers", Section: ProvidersSection },
  { id: "clients", label: "Client keys", Section: ClientsSection },
  { id: "port", label: "Port", Section: PortSection },
  { id: "appearance", label: "Appearance", Section: AppearanceSection },
  { id: "file", label: "Settings file", Section: FileSection },
] as const;

export function SettingsScreen({ section }: { section: string | null }) {
  const current = SECTIONS.find((s) => s.id === section) ?? SECTIONS[0];
  return (
    <div className="cols settings">
      <nav className="pane nav" aria-label="Settings">
        <div className="bar"><h1>Settings</h1></div>
        {SECTIONS.map((s) => (
          <a key={s.id} href={hrefOf("settings", s.id)} className={s.id === current.id ? "on" : ""} aria-current={s.id === current.id ? "page" : undefined}>{s.label}</a>
        ))}
      </nav>
      <div className="pane body">
        <current.Section />
      </div>
    </div>
  );
}
