import { Command } from "cmdk";
import { type FormEvent, useRef, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { KeychainStatus, KeySource, ProviderKind, ProviderVariable, ProviderView } from "../../api/bindings";
import { useRead } from "../../api/queries";
import { Icon } from "../../components/Icon";
import { Line } from "../../components/Line";
import { Modal } from "../../components/Modal";
import { Seg } from "../../components/Seg";
import { testids } from "../../lib/testids";
import { SecretField, takeSecret } from "./SecretField";

interface FormProps {
  /** Null adds a new one. */
  provider: ProviderView | null;
  taken: string[];
  keychain: KeychainStatus | null;
  onClose(): void;
  onSaved(id: string): void;
}

/** First the kind, out of the catalogue; then its few fields, filled in as far as they are known. */
export function ProviderForm(props: FormProps) {
  const { data: kinds, error } = useRead("providers.kinds", {});
  const [chosen, setChosen] = useState<ProviderKind | null>(null);
  const kind = chosen ?? kinds?.find((k) => k.kind === props.provider?.kind) ?? null;
  return (
    <Modal title={props.provider ? `Edit ${props.provider.id}` : kind ? `Add ${kind.name}` : "Add a provider"} lead={kind ? undefined : "Who serves the models? Anything that speaks one of the known protocols can be added, a server of your own too."} onClose={props.onClose}>
      {error && <p className="pad" role="alert">{error.message}</p>}
      {kind ? <Fields {...props} kind={kind} onOtherKind={props.provider ? null : () => setChosen(null)} /> : <KindList kinds={kinds ?? []} onPick={setChosen} />}
    </Modal>
  );
}

function KindList({ kinds, onPick }: { kinds: ProviderKind[]; onPick(kind: ProviderKind): void }) {
  return (
    <Command loop label="Kinds of provider" className="kinds">
      <div className="ask small-ask">
        <Icon name="search" />
        <Command.Input placeholder={`Search ${kinds.length} kinds`} aria-label="Search kinds" data-testid={testids.providerKind} autoFocus />
      </div>
      <Command.List className="picker-list">
        <Command.Empty className="none">The catalogue has none of that name. A server that speaks the OpenAI protocol can be added under any OpenAI-style kind, with its own base URL.</Command.Empty>
        {kinds.map((k) => (
          <Command.Item key={k.kind} value={k.kind} keywords={[k.name, k.protocol]} className="item" data-testid="provider-kind-option" data-kind={k.kind} onSelect={() => onPick(k)}>
            <Line provider={k.kind}>{k.name}</Line>
            <span className="push">{k.needs_key ? k.protocol : `${k.protocol}, no key needed`}</span>
          </Command.Item>
        ))}
      </Command.List>
    </Command>
  );
}

const SOURCES: { value: KeySource; label: string }[] = [
  { value: "keychain", label: "Keychain" },
  { value: "env", label: "Environment" },
  { value: "none", label: "No key" },
];

function firstSource(kind: ProviderKind, provider: ProviderView | null, keychain: KeychainStatus | null): KeySource {
  if (provider) return provider.key_source;
  if (!kind.needs_key) return "none";
  return keychain?.state === "absent" || keychain?.state === "error" ? "env" : "keychain";
}

/** The kind's name, or with a number after it where that is taken. */
export function freeId(kind: string, taken: readonly string[]): string {
  if (!taken.includes(kind)) return kind;
  let n = 2;
  while (taken.includes(`${kind}-${n}`)) n += 1;
  return `${kind}-${n}`;
}

function Fields({ provider, kind, taken, keychain, onOtherKind, onClose, onSaved }: FormProps & { kind: ProviderKind; onOtherKind: (() => void) | null }) {
  const [id, setId] = useState(provider?.id ?? freeId(kind.kind, taken));
  // An address with variables in it is asked for piece by piece; one's own replaces it whole.
  const [baseUrl, setBaseUrl] = useState(provider?.own_base_url ?? (kind.variables.length > 0 ? "" : kind.base_url));
  const [variables, setVariables] = useState<Record<string, string>>(provider?.variables ?? {});
  const [source, setSource] = useState<KeySource>(firstSource(kind, provider, keychain));
  const [env, setEnv] = useState(provider?.key_env ?? kind.key_env ?? "");
  const [error, setError] = useState<string | null>(null);
  const [saving, setSaving] = useState(false);
  const secret = useRef<HTMLInputElement>(null);
  const hasStored = provider?.key_source === "keychain" && provider.key_state === "present";

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const problem = problemOf({ id, taken: provider ? [] : taken, source, env, secret: secret.current?.value ?? "", hasStored }) ?? missingVariable(kind.variables, variables, baseUrl);
    if (problem !== null) return setError(problem);
    const pasted = source === "keychain" ? takeSecret(secret.current) : "";
    setSaving(true);
    try {
      await backend().call("providers.save", {
        id: id.trim(),
        kind: kind.kind,
        key: source === "env" ? `env:${env.trim()}` : source,
        variables,
        ...(baseUrl.trim() === kind.base_url || baseUrl.trim() === "" ? {} : { base_url: baseUrl.trim() }),
        ...(pasted === "" ? {} : { secret: pasted }),
      });
      onSaved(id.trim());
      onClose();
    } catch (failure) {
      setError(ControlError.from(failure).message + (pasted === "" ? "" : " The key was not kept in this window; paste it again."));
      setSaving(false);
    }
  };

  return (
    <form className="form" onSubmit={(e) => void submit(e)}>
      <div className="form-row">
        <span className="label">Kind</span>
        <div className="row">
          <Line provider={kind.kind}>{kind.name}</Line>
          <span className="t3 small">{kind.protocol}</span>
          {onOtherKind && <button type="button" className="link small" onClick={onOtherKind}>Choose another</button>}
        </div>
      </div>
      <label className="form-row">
        <span className="label">Name here</span>
        <input className="input" value={id} onChange={(e) => setId(e.target.value)} disabled={provider !== null} data-testid={testids.providerId} spellCheck={false} />
        <span className="hint">Its models are called <code>{id.trim() || "name"}/model</code></span>
      </label>
      {kind.variables.map((v) => (
        <label key={v.name} className="form-row">
          <span className="label">{v.label}</span>
          <input className="input" value={variables[v.name] ?? ""} onChange={(e) => setVariables({ ...variables, [v.name]: e.target.value })} placeholder={v.default ?? v.example ?? ""} data-testid={testids.providerVariable(v.name)} spellCheck={false} />
        </label>
      ))}
      <label className="form-row">
        <span className="label">Base URL</span>
        <input className="input" value={baseUrl} onChange={(e) => setBaseUrl(e.target.value)} placeholder={kind.base_url} data-testid={testids.providerBaseUrl} spellCheck={false} />
      </label>
      <div className="form-row">
        <span className="label">Key from</span>
        <Seg label="Key from" value={source} options={SOURCES} onChange={setSource} />
        <span className="hint">{sourceHint(source, keychain)}</span>
      </div>
      {source === "keychain" && <SecretField field={secret} placeholder={hasStored ? "Leave empty to keep the stored key" : "Paste the key"} autoFocus />}
      {source === "env" && (
        <label className="form-row">
          <span className="label">Variable</span>
          <input className="input mono" value={env} onChange={(e) => setEnv(e.target.value)} placeholder={kind.key_env ?? "PROVIDER_API_KEY"} data-testid={testids.providerEnv} spellCheck={false} />
        </label>
      )}
      {error !== null && <p className="form-error" role="alert">{error}</p>}
      <div className="form-foot">
        <span className="hint cut">{kind.docs}</span>
        <button type="button" className="btn push" onClick={onClose}>Cancel</button>
        <button type="submit" className="btn primary" disabled={saving} data-testid={testids.providerSave}>Save and test</button>
      </div>
    </form>
  );
}

function sourceHint(source: KeySource, keychain: KeychainStatus | null): string {
  if (source === "none") return "For servers that ask for none";
  if (source === "env") return "Read from the environment that Signalbox was started with";
  if (keychain && keychain.state !== "available") return keychain.message ?? `The keychain is ${keychain.state}`;
  return "The system keychain, and nowhere else";
}

/** What the kind's address needs and nothing says. */
export function missingVariable(asked: readonly ProviderVariable[], given: Record<string, string>, baseUrl: string): string | null {
  if (baseUrl.trim() !== "") return null;
  const missing = asked.find((v) => v.is_required && (given[v.name] ?? "").trim() === "");
  return missing ? `Fill in ${missing.label}, or give a base URL of your own.` : null;
}

export function problemOf(f: { id: string; taken: readonly string[]; source: KeySource; env: string; secret: string; hasStored: boolean }): string | null {
  const id = f.id.trim();
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) return "The name may have letters, digits, dots, dashes and underscores, and begins with a letter or digit.";
  if (f.taken.includes(id)) return `There is a provider named ${id} already. Choose another name.`;
  if (f.source === "env" && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(f.env.trim())) return "Name the environment variable, such as PROVIDER_API_KEY. Its value is not entered here.";
  if (f.source === "keychain" && f.secret.trim() === "" && !f.hasStored) return "Paste the key, or take it from the environment.";
  return null;
}
