import { useRead } from "../../api/queries";
import { Modal } from "../../components/Modal";
import { hrefOf } from "../../lib/router";
import { testids } from "../../lib/testids";
import { RequestTabs, useTab } from "../requests/Inspector";
import "../requests/requests.css";

/** The evidence behind a receipt, over the chat: the same as the inspector beside the log. */
export function RequestDialog({ id, onClose }: { id: string; onClose(): void }) {
  const { data, error, isPending } = useRead("requests.get", { id }, {});
  const [tab, setTab] = useTab();
  return (
    <Modal title="Request" wide onClose={onClose} testId={testids.requestDetail}>
      {error && <p className="pad" role="alert">{error.message}</p>}
      {isPending && <p className="pad t3">Reading the request</p>}
      {data && <RequestTabs request={data} tab={tab} onTab={setTab} />}
      <div className="pad row small"><a className="link" href={hrefOf("requests", id)} onClick={onClose}>Show it in the log</a></div>
    </Modal>
  );
}
