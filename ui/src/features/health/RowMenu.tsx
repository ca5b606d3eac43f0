import { DropdownMenu } from "radix-ui";
import { MoreHorizontal } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import type { Place } from "../../api/bindings";
import { refresh } from "../../api/queries";
import { Lucide } from "../../components/Icon";
import { duration } from "../../lib/format";
import { hrefOf } from "../../lib/router";
import { words } from "../../lib/words";

const PARKED_MINUTES = 60;

/** What a person can do about a target: ask it now, leave it alone, take it out. */
export function RowMenu({ provider, model, place, keyPlace }: { provider: string; model: string; place: Place | undefined; keyPlace: Place | undefined }) {
  const [isProbing, setProbing] = useState(false);
  const act = async (what: () => Promise<unknown>) => {
    try {
      await what();
    } catch (error) {
      toast.error(ControlError.from(error).message);
    }
    await refresh("routing.view", "health.list", "app.status");
  };
  const probe = async () => {
    setProbing(true);
    await act(async () => {
      const { ok, duration_ms, error, request_id } = await backend().call("routing.probe", { provider, model });
      const open = { label: "Open", onClick: () => (window.location.hash = hrefOf("requests", request_id)) };
      if (ok) toast.success(`${model} answered in ${duration(duration_ms)}`, { action: open });
      else toast.error(`${model} did not answer: ${words(error?.kind)}`, { description: error?.message, action: open });
    });
    setProbing(false);
  };
  const isDrained = place?.is_drained ?? false;
  const isParked = place?.against === "parked" || keyPlace?.against === "parked";
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger className="btn small icon quiet" aria-label={`Actions for ${provider} ${model}`} disabled={isProbing} title={isProbing ? "The probe is under way" : undefined}>
        <Lucide of={MoreHorizontal} small />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="pop menu" align="end" sideOffset={4}>
          <DropdownMenu.Item className="item" onSelect={() => void probe()}>Probe now</DropdownMenu.Item>
          {isParked && <DropdownMenu.Item className="item" onSelect={() => void act(() => backend().call("routing.park", { provider, model, minutes: null }))}>Let in at once</DropdownMenu.Item>}
          {!isParked && <DropdownMenu.Item className="item" onSelect={() => void act(() => backend().call("routing.park", { provider, model, minutes: PARKED_MINUTES }))}>Park for an hour</DropdownMenu.Item>}
          <DropdownMenu.Item className="item" onSelect={() => void act(() => backend().call("routing.drain", { provider, model, is_drained: !isDrained }))}>{isDrained ? "Put back into routes" : "Take out of routes"}</DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
