import type { ProviderView } from "../../api/bindings";
import { useRead } from "../../api/queries";
import { Modal } from "../../components/Modal";
import { NONE, plural, pricePerMTok, windowSize } from "../../lib/format";

export function ProviderModels({ provider, onClose }: { provider: ProviderView; onClose(): void }) {
  const { data, error, isPending } = useRead("providers.models", { id: provider.id });
  return (
    <Modal title={`Models of ${provider.id}`} lead={data ? `${plural(data.length, "model")}. Tools name them as they stand in the first column.` : undefined} wide onClose={onClose}>
      {error && <p className="pad" role="alert">{error.message}</p>}
      {isPending && <p className="pad t3">Asking {provider.id}</p>}
      {data && (
        <div className="modal-scroll" tabIndex={0} role="region" aria-label="Models">
          <table>
            <thead><tr><th>Model</th><th className="r">Window</th><th className="r">In, per M</th><th className="r">Out, per M</th></tr></thead>
            <tbody>
              {data.map((m) => (
                <tr key={m.id}>
                  <td title={m.name}>{m.id}</td>
                  <td className="r">{m.context_window === null ? NONE : windowSize(Number(m.context_window))}</td>
                  <td className="r">{provider.is_rehearsal ? "free" : pricePerMTok(m.input_usd_per_mtok)}</td>
                  <td className="r">{provider.is_rehearsal ? "free" : pricePerMTok(m.output_usd_per_mtok)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Modal>
  );
}
