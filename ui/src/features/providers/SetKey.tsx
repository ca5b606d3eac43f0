import { type FormEvent, useRef, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { ProviderView } from "../../api/bindings";
import { Modal } from "../../components/Modal";
import { testids } from "../../lib/testids";
import { SecretField, takeSecret } from "./SecretField";

export function SetKey({ provider, onClose, onSaved }: { provider: ProviderView; onClose(): void; onSaved(): void }) {
  const field = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const secret = takeSecret(field.current);
    if (secret === "") return setError("Paste the key first.");
    try {
      await backend().call("providers.set_key", { id: provider.id, secret });
      onSaved();
      onClose();
    } catch (failure) {
      setError(`${ControlError.from(failure).message} Nothing was stored; paste the key again.`);
    }
  };
  return (
    <Modal title={`Key for ${provider.id}`} lead="It goes to the system keychain, takes the place of the old one, and is tested at once." onClose={onClose}>
      <form className="form" onSubmit={(e) => void submit(e)}>
        <SecretField field={field} placeholder="Paste the key" autoFocus />
        {error !== null && <p className="form-error" role="alert">{error}</p>}
        <div className="form-foot">
          <button type="button" className="btn" onClick={onClose}>Cancel</button>
          <button type="submit" className="btn primary" data-testid={testids.providerSave}>Store and test</button>
        </div>
      </form>
    </Modal>
  );
}
