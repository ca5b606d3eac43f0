import { useEffect, useRef, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { SettingsError } from "../../api/bindings";
import { refresh, useRead, useStatus } from "../../api/queries";
import { Callout } from "../../components/Callout";
import { CopyButton } from "../../components/CopyButton";
import { testids } from "../../lib/testids";

/** The one settings file as text. A text with a mistake is not taken, and says where it is. */
export function FileSection() {
  const { data, error } = useRead("settings.get", {});
  const { data: status } = useStatus();
  return (
    <>
      <div className="sh">
        <h2>Settings file</h2>
        {data && <code className="t3 small cut" title={data.path}>{data.path}</code>}
        {data && <span className="push"><CopyButton text={data.path} label="Copy path" quiet /></span>}
      </div>
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      {status?.config_error && (
        <div className="pad">
          <Callout state="degraded" title="The file on disk has a mistake; the last good settings go on" role="status">
            <p className="break">{status.config_error}</p>
          </Callout>
        </div>
      )}
      {data && <Editor stored={data.text} />}
    </>
  );
}

function Editor({ stored }: { stored: string }) {
  const [text, setText] = useState(stored);
  const [base, setBase] = useState(stored);
  const [problem, setProblem] = useState<SettingsError | null>(null);
  const [saved, setSaved] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const dirty = text !== base;
  const changedOutside = stored !== base;

  // An edit made elsewhere is shown at once, unless it would overwrite one made here.
  useEffect(() => {
    if (changedOutside && !dirty) {
      setText(stored);
      setBase(stored);
    }
  }, [changedOutside, dirty, stored]);

  const save = async () => {
    setProblem(null);
    try {
      const refused = await backend().call("settings.set_text", { text });
      if (refused !== null) return setProblem(refused);
      setBase(text);
      setSaved(true);
      await refresh("settings.get", "app.status", "providers.list", "models.list", "routes.list");
    } catch (failure) {
      setProblem({ message: ControlError.from(failure).message, line: null, key: null, nearest: null });
    }
  };
  const showLine = (line: number) => {
    const el = area.current;
    if (!el) return;
    const lines = text.split("\n");
    const start = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
    el.focus();
    el.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  };
  return (
    <div className="file-editor">
      <textarea ref={area} className="mono" aria-label="Settings as text" value={text} onChange={(e) => { setText(e.target.value); setSaved(false); }} spellCheck={false} wrap="off" data-testid={testids.settingsText} />
      {changedOutside && dirty && (
        <Callout state="degraded" title="The file was changed elsewhere meanwhile">
          <div className="row">
            <span>Saving here overwrites that.</span>
            <button type="button" className="btn small" onClick={() => { setText(stored); setBase(stored); setProblem(null); }}>Take the file’s text</button>
          </div>
        </Callout>
      )}
      {problem && <Problem problem={problem} onShow={showLine} />}
      <div className="form-foot">
        <span className="hint push" role="status">{saved && !dirty ? "Saved, and in force" : dirty ? "Not saved yet" : "As on disk"}</span>
        <button type="button" className="btn" disabled={!dirty} title={dirty ? undefined : "Nothing has changed"} onClick={() => { setText(stored); setBase(stored); setProblem(null); }}>Undo changes</button>
        <button type="button" className="btn primary" disabled={!dirty} title={dirty ? undefined : "Nothing has changed"} data-testid={testids.settingsSave} onClick={() => void save()}>Save</button>
      </div>
    </div>
  );
}

function Problem({ problem, onShow }: { problem: SettingsError; onShow(line: number): void }) {
  const { line, key, nearest, message } = problem;
  const where = [line === null ? "" : `line ${line}`, key === null ? "" : `key ${key}`].filter(Boolean).join(", ");
  return (
    <div data-testid={testids.settingsError}>
      <Callout state="open" title={`Not saved${where === "" ? "" : `: ${where}`}`} role="alert">
        <p className="break">{message}</p>
        {nearest !== null && <p>Did you mean <code>{nearest}</code>?</p>}
        {line !== null && <button type="button" className="btn small" onClick={() => onShow(line)}>Show line {line}</button>}
      </Callout>
    </div>
  );
}
