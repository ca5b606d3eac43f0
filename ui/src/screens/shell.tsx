import { lazy, Suspense } from "react";
import { Toaster } from "sonner";
import { useEvents, useStatus } from "../api/queries";
import type { AppStatus } from "../api/bindings";
import { modKey } from "../actions/actions";
import { useShortcuts } from "../actions/keys";
import { Palette, ShortcutList } from "../actions/Palette";
import { BrandMark, Icon, type Mark } from "../components/Icon";
import { Lamp } from "../components/Lamp";
import { DeleteChat, RenameChat } from "../features/chat/ChatDialogs";
import { moneyOf, plural } from "../lib/format";
import { hrefOf, type Screen, usePlace } from "../lib/router";
import { useUi } from "../lib/store";
import { testids } from "../lib/testids";
import { LAMP_WORDS } from "../lib/words";
import { ChatScreen } from "./chat";
import { HealthScreen } from "./health";
import { SettingsScreen } from "./settings";
import { SpendScreen } from "./spend";

// What is not on the first screen comes when it is asked for.
const RequestsScreen = lazy(() => import("./requests").then((m) => ({ default: m.RequestsScreen })));
const RoutesScreen = lazy(() => import("./routes").then((m) => ({ default: m.RoutesScreen })));
const RequestDialog = lazy(() => import("../features/request/RequestDialog").then((m) => ({ default: m.RequestDialog })));

/** The room: rail at the left, one screen on the desk, the strip below, and what floats above. */
export function Shell() {
  useEvents();
  useShortcuts();
  const place = usePlace();
  const { data: status } = useStatus();
  return (
    <div className="app">
      <Rail on={place.screen} status={status} />
      <main className="desk">
        <Suspense fallback={null}>
          <ScreenOf screen={place.screen} detail={place.detail} />
        </Suspense>
      </main>
      <Strip status={status} />
      <Suspense fallback={null}>
        <Overlays />
      </Suspense>
      <Toaster position="bottom-right" offset={36} theme="system" closeButton={false} />
    </div>
  );
}

function ScreenOf({ screen, detail }: { screen: Screen; detail: string | null }) {
  switch (screen) {
    case "chat":
      return <ChatScreen chatId={detail} />;
    case "health":
      return <HealthScreen />;
    case "spend":
      return <SpendScreen />;
    case "requests":
      return <RequestsScreen selected={detail} />;
    case "routes":
      return <RoutesScreen selected={detail} />;
    case "settings":
      return <SettingsScreen section={detail} />;
  }
}

const LINKS: { screen: Screen; label: string; mark: Mark; testId: string }[] = [
  { screen: "chat", label: "Chat", mark: "chat", testId: testids.navChat },
  { screen: "health", label: "Health", mark: "health", testId: testids.navHealth },
  { screen: "spend", label: "Spend", mark: "spend", testId: testids.navSpend },
  { screen: "requests", label: "Requests", mark: "list", testId: testids.navRequests },
  { screen: "routes", label: "Routes", mark: "route", testId: testids.navRoutes },
  { screen: "settings", label: "Settings", mark: "settings", testId: testids.navSettings },
];

function Rail({ on, status }: { on: Screen; status: AppStatus | undefined }) {
  return (
    <nav className="rail" aria-label="Screens">
      <div className="brand">
        <BrandMark />
        <span>Signalbox</span>
      </div>
      {LINKS.map(({ screen, label, mark, testId }) => (
        <RailLink key={screen} screen={screen} label={label} mark={mark} testId={testId} on={on === screen} status={status} />
      ))}
    </nav>
  );
}

function RailLink({ screen, label, mark, testId, on, status }: (typeof LINKS)[number] & { on: boolean; status: AppStatus | undefined }) {
  const worst = status?.worst_lamp;
  const trouble = worst !== undefined && worst !== "ok" && worst !== "unknown" ? worst : null;
  const spent = status && status.today.requests > 0 ? moneyOf(status.today.cost_picousd, status.today.requests, status.today.unknown_count) : null;
  return (
    <a href={hrefOf(screen)} className={`${on ? "on" : ""} to-${screen}`} aria-current={on ? "page" : undefined} title={label} data-testid={testId}>
      <Icon name={mark} />
      <span>{label}</span>
      {screen === "health" && trouble && <span className="fig dot"><Lamp state={trouble} label={`worst state: ${LAMP_WORDS[trouble]}`} /></span>}
      {screen === "requests" && Number(status?.running_requests ?? 0) > 0 && <span className="fig">{String(status?.running_requests)}</span>}
      {screen === "spend" && spent !== null && <span className="fig">{spent}</span>}
    </a>
  );
}

function Strip({ status }: { status: AppStatus | undefined }) {
  const connection = useUi((s) => s.connection);
  const show = useUi((s) => s.show);
  if (typeof connection === "object" && connection.lost) {
    return (
      <footer className="strip" data-testid={testids.strip}>
        <span role="alert"><Lamp state="open" />Not connected<span className="t3">{connection.lost}</span></span>
      </footer>
    );
  }
  return (
    <footer className="strip" data-testid={testids.strip}>
      {status ? <Facts status={status} /> : <span className="t3">Connecting</span>}
      <button type="button" className="wide t3 strip-button" onClick={() => show({ kind: "palette" })}>
        <kbd>{modKey} K</kbd> Actions
      </button>
    </footer>
  );
}

function Facts({ status }: { status: AppStatus }) {
  const { port, today } = status;
  return (
    <>
      <a href={hrefOf("settings", "port")}>
        <Lamp state={port.listening ? "ok" : "open"} />
        {port.listening ? "Port on" : "Port off"}
        <span className="t3 wide">{port.listening ?? port.error ?? ""}</span>
      </a>
      <span>{Number(status.running_requests) === 0 && Number(today.requests) === 0 ? "No requests yet" : `${status.running_requests} running`}</span>
      <a href={hrefOf("spend")}>
        {moneyOf(today.cost_picousd, today.requests, today.unknown_count)} today
        {Number(today.unknown_count) > 0 && <span className="t3 wide">and {plural(Number(today.unknown_count), "request")} without a price</span>}
      </a>
      <span className="push" />
      <Trouble status={status} />
    </>
  );
}

/** The one thing most worth knowing, at the right of the strip. */
function Trouble({ status }: { status: AppStatus }) {
  const { ledger, worst_lamp: worst } = status;
  if (ledger.state !== "ok" || Number(ledger.dropped) > 0) {
    return <span className="trouble" role="alert"><Lamp state="open" />{ledger.message ?? `The ledger is ${ledger.state}: ${plural(Number(ledger.dropped), "record")} lost`}</span>;
  }
  if (status.config_error !== null) {
    return <a className="trouble" href={hrefOf("settings", "file")} title={status.config_error}><Lamp state="degraded" />Settings file has a mistake<span className="t3 wide">the last good settings go on</span></a>;
  }
  if (worst === "ok" || worst === "unknown") return null;
  return <a className="trouble" href={hrefOf("health")}><Lamp state={worst} />Worst line: {LAMP_WORDS[worst]}</a>;
}

function Overlays() {
  const overlay = useUi((s) => s.overlay);
  const show = useUi((s) => s.show);
  const close = () => show(null);
  switch (overlay?.kind) {
    case "palette":
      return <Palette onClose={close} />;
    case "shortcuts":
      return <ShortcutList onClose={close} />;
    case "request":
      return <RequestDialog id={overlay.id} onClose={close} />;
    case "rename":
      return <RenameChat chatId={overlay.chatId} title={overlay.title} onClose={close} />;
    case "delete":
      return <DeleteChat chatId={overlay.chatId} title={overlay.title} onClose={close} />;
    default:
      return null;
  }
}
