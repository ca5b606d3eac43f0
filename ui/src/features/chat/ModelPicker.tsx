import { Command } from "cmdk";
import { Popover } from "radix-ui";
import { useMemo, useState } from "react";
import { useModels, useProviders } from "../../api/queries";
import type { ModelView } from "../../api/bindings";
import { Icon } from "../../components/Icon";
import { Line } from "../../components/Line";
import { pricePerMTok, windowSize } from "../../lib/format";
import { testids } from "../../lib/testids";
import { groupModels, isRehearsalModel } from "./model-choice";

interface PickerProps {
  value: ModelView | null;
  open: boolean;
  onOpen(open: boolean): void;
  onPick(model: string): void;
}

export function ModelPicker({ value, open, onOpen, onPick }: PickerProps) {
  return (
    <Popover.Root open={open} onOpenChange={onOpen}>
      <Popover.Trigger className="btn quiet picker" data-testid={testids.modelPicker}>
        <span className="sr-only">Model:</span>
        {value?.is_route && <Icon name="route" />}
        <span className="cut">
          {value === null ? "Choose a model" : value.is_route ? <span className="strong picked">{value.name}</span> : <PickedModel model={value} />}
        </span>
        <Icon name="down" small />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop picker-pop" side="top" align="start" sideOffset={6} collisionPadding={10} aria-label="Models">
          <ModelList value={value?.id ?? null} onPick={(id) => { onPick(id); onOpen(false); }} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function PickedModel({ model }: { model: ModelView }) {
  return (
    <>
      <span className="strong picked">{model.name || model.model}</span>
      <span className="hide-n">{isRehearsalModel(model) ? ", rehearsal: costs nothing" : model.provider ? `, ${model.provider}` : ""}</span>
    </>
  );
}

function ModelList({ value, onPick }: { value: string | null; onPick(id: string): void }) {
  const { data: models = [], isPending, error } = useModels();
  const { data: providers = [] } = useProviders();
  const [search, setSearch] = useState("");
  const groups = useMemo(() => groupModels(models, (id) => providers.find((p) => p.id === id)?.name ?? id), [models, providers]);
  const firstPriced = groups.findIndex((g) => g.models.some((m) => !m.is_route));
  return (
    <Command loop label="Models" defaultValue={value ?? undefined}>
      <div className="ask small-ask">
        <Icon name="search" />
        <Command.Input value={search} onValueChange={setSearch} placeholder={`Search ${models.length} models`} aria-label="Search models" />
      </div>
      <Command.List className="picker-list">
        <Command.Empty className="none">{error ? error.message : isPending ? "Reading the models" : "No model has that name."}</Command.Empty>
        {groups.map((group, i) => (
          <Command.Group key={group.key} heading={<span className="head-row"><span>{group.label}</span>{i === firstPriced && <span className="push micro wide">window, in and out per M tokens</span>}</span>}>
            {group.models.map((model) => (
              <Command.Item key={model.id} value={model.id} keywords={[model.name, model.model, group.label]} onSelect={() => onPick(model.id)} className="item" data-testid={testids.modelOption} data-model={model.id}>
                {model.is_route ? <Icon name="route" small /> : null}
                {model.is_route ? <span className="cut">{model.name}</span> : <Line provider={model.provider} title={model.id}>{model.name || model.model}</Line>}
                {model.id === value && <Icon name="check" small />}
                <span className="push num">{model.is_route ? "" : <Facts model={model} />}</span>
              </Command.Item>
            ))}
          </Command.Group>
        ))}
      </Command.List>
    </Command>
  );
}

function Facts({ model }: { model: ModelView }) {
  const price = model.input_usd_per_mtok === null && model.output_usd_per_mtok === null ? "price unknown" : `${pricePerMTok(model.input_usd_per_mtok)}, ${pricePerMTok(model.output_usd_per_mtok)}`;
  return (
    <>
      <span className="fact wide">{model.context_window === null ? "" : windowSize(Number(model.context_window))}</span>
      <span className="fact-price">{isRehearsalModel(model) ? "free" : price}</span>
    </>
  );
}
