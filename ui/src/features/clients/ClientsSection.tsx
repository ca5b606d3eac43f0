import { type FormEvent, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { ClientView, NewClient } from "../../api/bindings";
import { refresh, useRead } from "../../api/queries";
import { Callout } from "../../components/Callout";
import { Confirm } from "../../components/Confirm";
import { CopyButton } from "../../components/CopyButton";
import { Ago } from "../../components/Time";
import { exactTime } from "../../lib/format";
import { testids } from "../../lib/testids";

/** Keys that tools use at the port. Each is shown once; only its hash is kept. */
export function ClientsSection() {
  const { data: clients, error } = useRead("clients.list", {});
  const [made, setMade] = useState<NewClient | null>(null);
  const [removing, setRemoving] = useState<ClientView | null>(null);
  return (
    <>
      <div className="sh">
        <h2>Client keys</h2>
        <span className="t3 small cut">One for each tool that uses the port, so that spend and requests can be told apart.</span>
      </div>
      <AddClient taken={(clients ?? []).map((c) => c.name)} onMade={setMade} />
      {made && (
        <div className="pad">
          <Callout state="ok" title={`The key of ${made.name}. It is shown this once`} role="status">
            <div className="key-shown">
              <code data-testid={testids.clientKey}>{made.key}</code>
              <CopyButton text={made.key} label="Copy key" />
              <button type="button" className="btn small quiet" onClick={() => setMade(null)}>Done</button>
            </div>
            <p className="small t2">Signalbox keeps only a hash of it. If it is lost, remove it and make another.</p>
          </Callout>
        </div>
      )}
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      <div className="scroll-y" tabIndex={0} role="region" aria-label="Client keys">
        <table className="rule">
          <thead><tr><th>Tool</th><th>Key</th><th>Made</th><th>Last seen</th><th><span className="sr-only">Actions</span></th></tr></thead>
          <tbody>
            {(clients ?? []).map((c) => (
              <tr key={c.id} data-testid={testids.clientRow} data-client={c.name}>
                <td className="med">{c.name}</td>
                <td className="mono t2">sb-…{c.key_hint}</td>
                <td className="t2" title={exactTime(Number(c.created_at))}><Ago at={Number(c.created_at)} /></td>
                <td className="t2">{c.last_seen_at === null ? "never" : <Ago at={Number(c.last_seen_at)} />}</td>
                <td className="r"><button type="button" className="btn small" onClick={() => setRemoving(c)}>Remove</button></td>
              </tr>
            ))}
          </tbody>
        </table>
        {clients?.length === 0 && <p className="empty">No keys yet. Name a tool above; its key works at the port at once.</p>}
      </div>
      {removing && (
        <Confirm
          title={`Remove the key of ${removing.name}?`}
          text="The tool that uses it is refused from now on. What it spent stays in the books."
          verb="Remove"
          onClose={() => setRemoving(null)}
          onConfirm={async () => {
            await backend().call("clients.remove", { id: removing.id });
            if (made?.id === removing.id) setMade(null);
            await refresh("clients.list");
          }}
        />
      )}
    </>
  );
}

function AddClient({ taken, onMade }: { taken: string[]; onMade(client: NewClient): void }) {
  const [name, setName] = useState("");
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const wanted = name.trim();
    if (wanted === "") return setError("Name the tool first, such as my-editor.");
    if (taken.includes(wanted)) return setError(`${wanted} has a key already. Choose another name, or remove it first.`);
    try {
      onMade(await backend().call("clients.add", { name: wanted }));
      setName("");
      setError(null);
      await refresh("clients.list");
    } catch (failure) {
      setError(ControlError.from(failure).message);
    }
  };
  return (
    <form className="inline-form" onSubmit={(e) => void submit(e)}>
      <input className="input" aria-label="Name of the tool" placeholder="Name of the tool, such as my-editor" value={name} onChange={(e) => setName(e.target.value)} data-testid={testids.clientName} spellCheck={false} />
      <button type="submit" className="btn primary" data-testid={testids.clientAdd}>Make a key</button>
      {error !== null && <span className="form-error" role="alert">{error}</span>}
    </form>
  );
}
