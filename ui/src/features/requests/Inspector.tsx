import { Tabs } from "radix-ui";
import { useEffect, useState } from "react";
import { ControlError } from "../../api/backend";
import type { LampState, RequestView } from "../../api/bindings";
import { useRead } from "../../api/queries";
import { Icon } from "../../components/Icon";
import { Badge } from "../../components/Lamp";
import { clock, count } from "../../lib/format";
import { hrefOf } from "../../lib/router";
import { useUi } from "../../lib/store";
import { testids } from "../../lib/testids";
import { CopyCurl } from "./CopyCurl";
import { stateWords } from "./LogTable";
import { AttemptSection, AttemptsPicture, CostSection, DecisionStory, Facts, ToolFailureSection, Why } from "./sections";

type Tab = "overview" | "attempts" | "decision" | "checks";

/** One request beside the log: how it went, why it went there, what it cost. Esc closes it. */
export function Inspector({ id, tab, onTab, onClose }: { id: string; tab: Tab; onTab(tab: Tab): void; onClose(): void }) {
  const { data, error } = useRead("requests.get", { id }, {});
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && useUi.getState().overlay === null) onClose();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [onClose]);
  return (
    <aside className="insp" aria-label="Request" data-testid={testids.requestInspector}>
      <div className="insp-head">
        <h2 className="num">{data ? clock(Number(data.started_at)) : "Request"}</h2>
        {data && <Badge state={stateOf(data)}>{stateWords({ ...data, switches: switchesOf(data) })}</Badge>}
        <span className="push" />
        {data?.chat_id && <a className="btn small" href={hrefOf("chat", data.chat_id)}>Open chat</a>}
        <button type="button" className="btn small icon quiet" aria-label="Close the inspector" onClick={onClose}><Icon name="close" small /></button>
      </div>
      {error && <p className="pad t2" role="alert">{missingWords(error)}</p>}
      {!data && !error && <p className="pad t3">Reading the request</p>}
      {data && <RequestTabs request={data} tab={tab} onTab={onTab} />}
    </aside>
  );
}

export type { Tab };

/** A tab that this request has not falls back to the overview. */
export function RequestTabs({ request, tab, onTab }: { request: RequestView; tab: Tab; onTab(tab: Tab): void }) {
  const { attempts, decision, tool_failures: failures } = request;
  const has: Record<Tab, boolean> = { overview: true, attempts: attempts.length > 0, decision: decision !== null, checks: failures.length > 0 };
  return (
    <Tabs.Root className="insp-tabs" value={has[tab] ? tab : "overview"} onValueChange={(v) => onTab(v as Tab)}>
      <Tabs.List className="tabs" aria-label="Parts of the request">
        <Tabs.Trigger value="overview">Overview</Tabs.Trigger>
        {has.attempts && <Tabs.Trigger value="attempts">Attempts <span className="t3 num">{count(attempts.length)}</span></Tabs.Trigger>}
        {has.decision && <Tabs.Trigger value="decision">Decision</Tabs.Trigger>}
        {has.checks && <Tabs.Trigger value="checks">Failed checks <span className="t3 num">{count(failures.length)}</span></Tabs.Trigger>}
      </Tabs.List>
      <Tabs.Content value="overview" className="insp-body">
        {request.error_message !== null && <section><p className="break">{request.error_message}</p></section>}
        <AttemptsPicture request={request} />
        {decision !== null && <Why decision={decision} />}
        <CostSection request={request} />
        <Facts request={request} />
        <section className="row"><CopyCurl request={request} /></section>
      </Tabs.Content>
      <Tabs.Content value="attempts" className="insp-body">
        {attempts.map((a) => <AttemptSection key={a.id} attempt={a} total={attempts.length} />)}
      </Tabs.Content>
      <Tabs.Content value="decision" className="insp-body">{decision !== null && <DecisionStory decision={decision} />}</Tabs.Content>
      <Tabs.Content value="checks" className="insp-body">
        {failures.map((f, i) => <ToolFailureSection key={i} failure={f} />)}
      </Tabs.Content>
    </Tabs.Root>
  );
}

export function useTab(): [Tab, (tab: Tab) => void] {
  return useState<Tab>("overview");
}

function switchesOf({ attempts }: RequestView): number {
  return attempts.filter((a, i) => i > 0 && (attempts[i - 1]?.provider !== a.provider || attempts[i - 1]?.model !== a.model)).length;
}

function stateOf(request: RequestView): LampState {
  switch (request.status) {
    case "ok":
      return switchesOf(request) > 0 ? "degraded" : "ok";
    case "failed":
      return "open";
    case "truncated":
      return "degraded";
    case "cancelled":
      return "parked";
    default:
      return "unknown";
  }
}

const missingWords = (error: ControlError): string => (error.kind === "not_found" ? "There is no such request any more." : error.message);
