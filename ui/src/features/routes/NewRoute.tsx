import { useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import { refresh, useModels } from "../../api/queries";
import { Modal } from "../../components/Modal";
import { go } from "../../lib/router";

/** A name and a first target; the rest is edited afterwards. */
export function NewRoute({ taken, onClose }: { taken: string[]; onClose(): void }) {
  const { data: models } = useModels();
  const [name, setName] = useState("");
  const [model, setModel] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const free = (models ?? []).filter((m) => !m.is_route && m.provider !== null);
  const problem = taken.includes(name.trim()) ? "There is a route of this name." : null;
  const make = async () => {
    const target = free.find((m) => m.id === model);
    if (!target?.provider) return;
    try {
      await backend().call("routes.save", { name: name.trim(), targets: [{ provider: target.provider, model: target.model }] });
      await refresh("routes.list", "settings.get", "models.list");
      go("routes", name.trim());
      onClose();
    } catch (error) {
      setFailure(ControlError.from(error).message);
    }
  };
  return (
    <Modal title="New route" lead="Clients will ask for it by this name, as if it were a model." onClose={onClose}>
      <form className="form" onSubmit={(e) => {
        e.preventDefault();
        void make();
      }}>
        <label className="form-row"><span>Name</span><input className="input" value={name} autoFocus spellCheck={false} placeholder="deep" onChange={(e) => setName(e.target.value)} /></label>
        <label className="form-row"><span>First target</span>
          <select className="input" value={model} onChange={(e) => setModel(e.target.value)}>
            <option value="">Choose a model</option>
            {free.map((m) => <option key={m.id} value={m.id}>{m.id}</option>)}
          </select>
        </label>
        {(problem ?? failure) !== null && <p className="form-error" role="alert">{problem ?? failure}</p>}
        <div className="form-foot">
          <button type="button" className="btn" onClick={onClose}>Cancel</button>
          <button type="submit" className="btn primary" disabled={name.trim() === "" || model === "" || problem !== null}>Make route</button>
        </div>
      </form>
    </Modal>
  );
}
