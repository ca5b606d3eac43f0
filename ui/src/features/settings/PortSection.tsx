import { type FormEvent, useEffect, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import { refresh, useModels, useRead, useStatus } from "../../api/queries";
import { Callout } from "../../components/Callout";
import { LampWord } from "../../components/Lamp";
import { CodeBlock } from "../../components/Markdown";
import { Seg } from "../../components/Seg";
import { hrefOf } from "../../lib/router";
import { testids } from "../../lib/testids";
import { modelFor } from "../chat/model-choice";
import { nextAddress, snippet, type SnippetKind } from "./snippets";

const KINDS: { value: SnippetKind; label: string }[] = [
  { value: "python", label: "Python" },
  { value: "node", label: "Node" },
  { value: "curl", label: "curl" },
];

export function PortSection() {
  const { data: status } = useStatus();
  const { data: settings } = useRead("settings.get", {});
  const { data: models = [] } = useModels();
  const [kind, setKind] = useState<SnippetKind>("python");
  const port = status?.port;
  const address = port?.listening ?? port?.requested ?? settings?.listen ?? "127.0.0.1:8790";
  const { lang, code } = snippet(kind, address, modelFor(models, [])?.id ?? "provider/model");
  return (
    <>
      <div className="sh">
        <h2>Port</h2>
        <span className="t3 small cut">Where tools on this computer find every model, in the OpenAI style.</span>
      </div>
      <div className="scroll-y rule" tabIndex={0} role="region" aria-label="Port and snippets">
        <div className="form">
          <div className="form-row">
            <span className="label">State</span>
            {port && <LampWord state={port.listening ? "ok" : "open"} word={port.listening ? `on, ${port.listening}` : "off"} />}
          </div>
          {settings && <Listen key={settings.listen} current={settings.listen} portError={port?.listening ? null : (port?.error ?? null)} suggestion={port?.suggestion ?? null} />}
        </div>
        <div className="snippets">
          <div className="cap">
            <h2>Snippets</h2>
            <Seg small label="Snippet for" value={kind} options={KINDS} onChange={setKind} />
          </div>
          <p className="t2">They stream from the model you talk to now. Put a key in: <a href={hrefOf("settings", "clients")}>make a client key</a>.</p>
          <CodeBlock lang={lang} code={code} open={false} />
        </div>
      </div>
    </>
  );
}

function Listen({ current, portError, suggestion }: { current: string; portError: string | null; suggestion: string | null }) {
  const [listen, setListen] = useState(current);
  const [error, setError] = useState<string | null>(portError);
  useEffect(() => setError(portError), [portError]);
  const save = async (wanted: string) => {
    setError(null);
    try {
      await backend().call("settings.set_listen", { listen: wanted });
      setListen(wanted);
    } catch (failure) {
      setError(ControlError.from(failure).message);
    }
    await refresh("app.status", "settings.get");
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save(listen.trim());
  };
  const other = error !== null ? (suggestion ?? nextAddress(listen)) : null;
  return (
    <>
      <form className="form-row" onSubmit={submit}>
        <span className="label" id="listen-label">Address</span>
        <div className="row">
          <input className="input listen" aria-labelledby="listen-label" value={listen} onChange={(e) => setListen(e.target.value)} data-testid={testids.portListen} spellCheck={false} />
          <button type="submit" className="btn" data-testid={testids.portSave} disabled={listen.trim() === current && error === null} title={listen.trim() === current ? "Nothing has changed" : undefined}>Change</button>
        </div>
        <span className="hint">Written to the settings file. Running requests are finished on the old address.</span>
      </form>
      {error !== null && (
        <Callout state="open" title="The port is not open there" role="alert">
          <p>{error}</p>
          {other !== null && <button type="button" className="btn small primary" onClick={() => void save(other)}>Use {other} instead</button>}
        </Callout>
      )}
    </>
  );
}
