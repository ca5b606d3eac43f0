import { useState } from "react";
import type { ModelView, RouteView } from "../../api/bindings";
import { Icon } from "../../components/Icon";
import { LampWord } from "../../components/Lamp";
import { Line } from "../../components/Line";
import { Seg } from "../../components/Seg";
import { targetName } from "../../lib/words";
import type { LampOf } from "../../screens/routes";
import { type Draft, type Fields, moved, withFields } from "./draft";
import { takenWhen } from "./words";

const STRATEGIES = [
  { value: "priority", label: "In order" },
  { value: "weighted", label: "By weight" },
  { value: "lowest-cost", label: "Lowest cost" },
  { value: "lowest-latency", label: "Fastest" },
  { value: "least-busy", label: "Least busy" },
  { value: "remaining-quota", label: "Quota left" },
  { value: "capability", label: "Able" },
  { value: "score", label: "Score" },
];
const BREAKS = [
  { value: "end", label: "Mark the end" },
  { value: "restart", label: "Start again" },
  { value: "continue", label: "Continue on the next" },
];
const CHECKS = [
  { value: "none", label: "As in settings" },
  { value: "observe", label: "Observe" },
  { value: "repair", label: "Repair" },
  { value: "retry", label: "Retry" },
  { value: "reject", label: "Reject" },
];

interface EditorProps {
  route: RouteView;
  draft: Draft;
  onDraft(draft: Draft): void;
  lampOf: LampOf;
  models: ModelView[];
}

/** What can be changed here; rules, weights and conditions are in the settings file. */
export function Editor({ route, draft, onDraft, lampOf, models }: EditorProps) {
  const change = (fields: Partial<Fields>) => onDraft(withFields(draft, fields));
  const { targets } = draft;
  return (
    <>
      <section className="sec">
        <h2>Order<AddTarget models={models} taken={targets} onAdd={(provider, model) => change({ targets: [...targets, { provider, model, weight: 1, tier: null, only_after: [], when: null }] })} /></h2>
        <div className="seg-wrap"><Seg small label="Strategy" value={draft.strategy} options={STRATEGIES} onChange={(strategy) => change({ strategy })} /></div>
        <table className="ord">
          <thead><tr><th><span className="sr-only">Place</span></th><th>Target</th><th>Now</th><th>Tier</th><th>Taken when</th><th><span className="sr-only">Move or remove</span></th></tr></thead>
          <tbody>
            {targets.map((t, i) => (
              <tr key={`${t.provider}/${t.model}/${i}`}>
                <td className="t3 num">{i + 1}</td>
                <td className="cut tgt"><Line provider={t.provider} title={`${t.provider} ${t.model}`}>{targetName(t, targets)}</Line>{draft.strategy === "weighted" && <span className="t3 small"> × {t.weight}</span>}</td>
                <td><LampWord state={lampOf(t.provider, t.model)} /></td>
                <td className="t2">{t.tier ?? "–"}</td>
                <td className="t2 cut when" title={takenWhen(route, i)}>{takenWhen(route, i)}</td>
                <td className="moves">
                  <button type="button" className="btn small icon quiet" aria-label={`Move ${targetName(t, targets)} up`} disabled={i === 0} onClick={() => change({ targets: moved(targets, i, i - 1) })}><Icon name="up" small /></button>
                  <button type="button" className="btn small icon quiet" aria-label={`Move ${targetName(t, targets)} down`} disabled={i === targets.length - 1} onClick={() => change({ targets: moved(targets, i, i + 1) })}><Icon name="end" small /></button>
                  <button type="button" className="btn small icon quiet" aria-label={`Take ${targetName(t, targets)} out`} disabled={targets.length === 1} title={targets.length === 1 ? "A route needs a target" : undefined} onClick={() => change({ targets: targets.filter((_, at) => at !== i) })}><Icon name="close" small /></button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <section className="sec">
        <h2>When it fails</h2>
        <div className="rform">
          <span>In mid-answer</span>
          <div className="full"><Seg small label="In mid-answer" value={draft.onBreak} options={BREAKS} onChange={(onBreak) => change({ onBreak })} /></div>
          <Text label="Whole request" value={draft.total} example="60s" onChange={(total) => change({ total })} />
          <Text label="No first token in" value={draft.firstContent} example="8s" onChange={(firstContent) => change({ firstContent })} />
          <Text label="Ask a second after" value={draft.hedge} example="p95, 2s or 25%" onChange={(hedge) => change({ hedge })} />
          <Text label="Chats stay for" value={draft.sticky} example="10m" onChange={(sticky) => change({ sticky })} />
        </div>
      </section>
      <section className="sec">
        <h2>Checks on what comes back</h2>
        <div className="rform">
          <span>Tool calls</span>
          <div className="full"><Seg small label="Tool calls" value={draft.toolCheck || "none"} options={CHECKS} onChange={(v) => change({ toolCheck: v === "none" ? "" : v })} /></div>
          <span>JSON answers</span>
          <div className="full"><Seg small label="JSON answers" value={draft.outputCheck || "none"} options={CHECKS} onChange={(v) => change({ outputCheck: v === "none" ? "" : v })} /></div>
        </div>
        <p className="small t3">Rules, weights, tiers and conditions stand in the settings file, and stay as they are there.</p>
      </section>
    </>
  );
}

function Text({ label, value, example, onChange }: { label: string; value: string; example: string; onChange(value: string): void }) {
  return (
    <label className="rtext">
      <span>{label}</span>
      <input className="input" value={value} placeholder={example} spellCheck={false} onChange={(e) => onChange(e.target.value)} />
    </label>
  );
}

function AddTarget({ models, taken, onAdd }: { models: ModelView[]; taken: { provider: string; model: string }[]; onAdd(provider: string, model: string): void }) {
  const [isOpen, setOpen] = useState(false);
  const free = models.filter((m) => !m.is_route && m.provider !== null && !taken.some((t) => t.provider === m.provider && t.model === m.model));
  if (!isOpen) return <button type="button" className="btn small push" onClick={() => setOpen(true)}><Icon name="plus" small />Target</button>;
  return (
    <select className="input push add-target" aria-label="Target to add" value="" autoFocus onBlur={() => setOpen(false)} onChange={(e) => {
      const model = free.find((m) => m.id === e.target.value);
      if (model?.provider) onAdd(model.provider, model.model);
      setOpen(false);
    }}>
      <option value="">Choose a model</option>
      {free.map((m) => <option key={m.id} value={m.id}>{m.id}</option>)}
    </select>
  );
}
