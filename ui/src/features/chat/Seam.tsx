import { useRead } from "../../api/queries";
import { Icon } from "../../components/Icon";
import { testids } from "../../lib/testids";
import { seamOf } from "./seam";

/** Says, in one quiet line, that another model went on with an answer that broke off. */
export function Seam({ requestId, onOpen }: { requestId: string; onOpen(id: string): void }) {
  const { data } = useRead("requests.get", { id: requestId });
  const said = seamOf(data?.decision ?? null);
  if (said === null) return null;
  return (
    <p className="end-note" data-testid={testids.seam}>
      <Icon name="route" small />
      <span>{said}</span>
      <button type="button" className="link" onClick={() => onOpen(requestId)}>Why</button>
    </p>
  );
}
