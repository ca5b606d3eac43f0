import { useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { KeychainStatus, ProviderTest, ProviderView } from "../../api/bindings";
import { refresh, useProviders, useStatus } from "../../api/queries";
import { Callout } from "../../components/Callout";
import { Confirm } from "../../components/Confirm";
import { Icon } from "../../components/Icon";
import { Badge } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { Ago } from "../../components/Time";
import { count, duration } from "../../lib/format";
import { useUi } from "../../lib/store";
import { testids } from "../../lib/testids";
import { ProviderForm } from "./ProviderForm";
import { ProviderModels } from "./ProviderModels";
import { type KeyBadge, keyBadge } from "./key-badge";
import { SetKey } from "./SetKey";

export type Tested = { at: number; result: ProviderTest } | "running";

export function ProvidersSection() {
  const { data: providers, error } = useProviders();
  const { data: status } = useStatus();
  const overlay = useUi((s) => s.overlay);
  const show = useUi((s) => s.show);
  const [tested, setTested] = useState<Record<string, Tested>>({});
  const [looking, setLooking] = useState(false);
  const [lookError, setLookError] = useState<string | null>(null);
  const [open, setOpen] = useState<{ what: "models" | "key" | "remove"; provider: ProviderView } | null>(null);

  const test = async (id: string) => {
    setTested((t) => ({ ...t, [id]: "running" }));
    const result = await backend().call("providers.test", { id }).catch((e: unknown): ProviderTest => {
      const failure = ControlError.from(e);
      return { ok: false, latency_ms: null, models: null, error: { kind: failure.kind, message: failure.message } };
    });
    setTested((t) => ({ ...t, [id]: { at: Date.now(), result } }));
    await refresh("providers.list", "models.list", "app.status");
  };
  const changed = async (id: string) => {
    await refresh("providers.list", "models.list", "app.status", "settings.get");
    void test(id);
  };
  const look = async () => {
    setLooking(true);
    setLookError(null);
    await backend().call("providers.look", {}).catch((e: unknown) => setLookError(ControlError.from(e).message));
    await refresh("providers.list", "models.list", "app.status");
    setLooking(false);
  };
  const close = () => setOpen(null);
  const editing = overlay?.kind === "provider" ? overlay : null;

  return (
    <>
      <div className="sh">
        <h2>Providers</h2>
        <span className="t3 small cut">Keys live in the system keychain. The window never sees one again.</span>
        <button type="button" className="btn push" disabled={looking} title="Ask this computer for Ollama, LM Studio and other model servers" data-testid={testids.lookAgain} onClick={() => void look()}>
          <Icon name="search" small />
          {looking ? "Looking" : "Look again"}
        </button>
        <button type="button" className="btn" data-testid={testids.addProvider} onClick={() => show({ kind: "provider", id: null })}>
          <Icon name="plus" small />
          Add provider
        </button>
      </div>
      {status && <KeychainNote keychain={status.keychain} />}
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      {lookError !== null && <p className="screen-error" role="alert">{lookError}</p>}
      <div className="scroll-y" tabIndex={0} role="region" aria-label="Providers">
        <table className="rule">
          <thead><tr><th>Provider</th><th>Key</th><th className="hide-n">Where</th><th className="hide-n">Last test</th><th className="r">Models</th><th><span className="sr-only">Actions</span></th></tr></thead>
          <tbody>
            {(providers ?? []).map((p) => (
              <Row key={p.id} provider={p} tested={tested[p.id]} onTest={() => void test(p.id)} onEdit={() => show({ kind: "provider", id: p.id })} onOpen={(what) => setOpen({ what, provider: p })} />
            ))}
          </tbody>
        </table>
        {providers?.every((p) => p.is_rehearsal) && <p className="empty">Only the rehearsal is here so far. Add a provider to talk to real models; the rehearsal stays.</p>}
      </div>
      {editing && <ProviderForm provider={providers?.find((p) => p.id === editing.id) ?? null} taken={(providers ?? []).map((p) => p.id)} keychain={status?.keychain ?? null} onClose={() => show(null)} onSaved={(id) => void changed(id)} />}
      {open?.what === "models" && <ProviderModels provider={open.provider} onClose={close} />}
      {open?.what === "key" && <SetKey provider={open.provider} onClose={close} onSaved={() => void changed(open.provider.id)} />}
      {open?.what === "remove" && (
        <Confirm
          title={`Remove ${open.provider.id}?`}
          text="It leaves the settings file, and its key leaves the keychain. What was spent with it stays in the books."
          verb="Remove"
          onClose={close}
          onConfirm={async () => {
            await backend().call("providers.remove", { id: open.provider.id });
            await refresh("providers.list", "models.list", "settings.get", "app.status");
          }}
        />
      )}
    </>
  );
}

interface RowProps {
  provider: ProviderView;
  tested: Tested | undefined;
  onTest(): void;
  onEdit(): void;
  onOpen(what: "models" | "key" | "remove"): void;
}

function Row({ provider: p, tested, onTest, onEdit, onOpen }: RowProps) {
  const badge = keyBadge(p, tested);
  return (
    <tr data-testid={testids.providerRow(p.id)} data-key-state={p.key_state}>
      <td>
        <Line provider={p.kind} title={`${p.name}, ${p.base_url}`}>{p.id}</Line>
        {p.is_discovered && <span className="t3 small narrow" title="It answered on this computer and stands in no settings file. Edit it to keep it there."> found</span>}
      </td>
      <td><KeyCell badge={badge} /></td>
      <td className="t2 hide-n cut where">{whereOf(p)}</td>
      <td className="t2 num hide-n">{tested === "running" ? "testing" : tested ? <><Ago at={tested.at} />{tested.result.latency_ms !== null && `, ${duration(tested.result.latency_ms)}`}</> : "not yet"}</td>
      <td className="r">
        <button type="button" className="link" title={`List the models of ${p.id}`} onClick={() => onOpen("models")}>
          {p.model_count === null ? "list" : count(p.model_count)}
          <span className="sr-only"> models of {p.id}</span>
        </button>
      </td>
      <td className="r">
        {badge.needsKey && <button type="button" className="btn small primary" onClick={() => onOpen("key")}>{p.key_state === "present" ? "Replace key" : "Enter key"}</button>}
        <button type="button" className="btn small" disabled={tested === "running"} onClick={onTest}>Test</button>
        {!p.is_rehearsal && (
          <>
            <button type="button" className="btn small" onClick={onEdit}>Edit</button>
            {!p.is_discovered && <button type="button" className="btn small icon" aria-label={`Remove ${p.id}`} title={`Remove ${p.id}`} onClick={() => onOpen("remove")}><Icon name="close" small /></button>}
          </>
        )}
      </td>
    </tr>
  );
}

function KeyCell({ badge }: { badge: KeyBadge }) {
  return (
    <>
      <Badge state={badge.lamp} testId={testids.keyState}>{badge.word}</Badge>
      {badge.why !== "" && <span className="why cut" title={badge.why}>{badge.why}</span>}
    </>
  );
}

function whereOf(p: ProviderView): string {
  switch (p.key_source) {
    case "keychain":
      return "keychain";
    case "env":
      return `variable ${p.key_env ?? ""}`.trim();
    case "none":
      if (p.is_rehearsal) return "in this app, not a real model";
      return p.is_discovered ? "found on this machine" : "no key";
  }
}

function alternativesTo(state: KeychainStatus["state"]): string {
  return state === "locked"
    ? "Unlock it in the system; keys stored there work again at once."
    : "Give keys in environment variables instead (env:NAME), or start a Secret Service such as GNOME Keyring or KWallet. Keys are never written to a file.";
}

/** No keychain is no dead end: what works instead is said here. */
function KeychainNote({ keychain }: { keychain: KeychainStatus }) {
  const title = { available: "", locked: "The keychain is locked", absent: "There is no keychain here", error: "The keychain does not work" }[keychain.state];
  if (title === "") return null;
  return (
    <div className="pad">
      <Callout state={keychain.state === "locked" ? "half_open" : "degraded"} title={title}>
        <p>{keychain.message ?? alternativesTo(keychain.state)}</p>
      </Callout>
    </div>
  );
}
