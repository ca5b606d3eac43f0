import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { onAction } from "../actions/bus";
import { useRead } from "../api/queries";
import { Icon, Lucide } from "../components/Icon";
import { Inspector, useTab } from "../features/requests/Inspector";
import { LogTable } from "../features/requests/LogTable";
import { parseSearch, toggleWord, wordsOf } from "../features/requests/search";
import { useLog } from "../features/requests/use-log";
import { count, moneyOf, plural } from "../lib/format";
import { go } from "../lib/router";
import { testids } from "../lib/testids";
import { Pause, Play } from "lucide-react";
import "../features/requests/requests.css";

/** Milliseconds after the last key before the search is followed. */
const SETTLES_AFTER = 250;

const QUICK = [
  { word: "status:failed", label: "Failed" },
  { word: "is:switched", label: "Switched" },
  { word: "status:running", label: "Running" },
];

export function RequestsScreen({ selected }: { selected: string | null }) {
  const [text, setText] = useState("");
  const settled = useSettled(text);
  const { filter, problems } = useMemo(() => parseSearch(settled, Date.now()), [settled]);
  const [live, setLive] = useState(true);
  const [tab, setTab] = useTab();
  const { log, isPending, error, readOlder } = useLog(filter, live);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => onAction("toggle-live", () => setLive((on) => !on)), []);
  useEffect(() => onAction("search-requests", () => field.current?.focus()), []);
  const select = useCallback((id: string) => go("requests", id), []);
  const close = useCallback(() => go("requests"), []);
  const isFiltered = wordsOf(text).length > 0;

  return (
    <>
      <header className="bar">
        <h1>Requests</h1>
        <label className="field q">
          <Icon name="search" small />
          <span className="sr-only">Search the requests</span>
          <input ref={field} type="search" value={text} spellCheck={false} autoComplete="off" placeholder="model: provider: client: route: error: cost:>0.1 since:14:00" data-testid={testids.requestSearch} onChange={(e) => setText(e.target.value)} />
        </label>
        <span className="quick wide">
          {QUICK.map(({ word, label }) => (
            <button key={word} type="button" className="btn small" aria-pressed={wordsOf(text).includes(word)} onClick={() => setText(toggleWord(text, word))}>{label}</button>
          ))}
        </span>
        <span className="push" />
        <Totals filter={filter} />
        <button type="button" className="btn" aria-pressed={live} title={live ? "New requests are shown as they come; press to hold still" : "The log stands still; press to follow"} onClick={() => setLive(!live)}>
          <Lucide of={live ? Pause : Play} small />
          {live ? "Live" : "Paused"}
        </button>
      </header>
      {problems.length > 0 && <p className="search-problem" role="status">{problems.map((p) => `${p}.`).join(" ")}</p>}
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      <div className={selected === null ? "cols" : "cols with-insp"}>
        {log.rows.length === 0 && !isPending && !error ? (
          <p className="empty grow">{isFiltered ? "No request matches." : "No requests yet. Start a chat, or point a tool at the port; each request gets its line here as it comes."}</p>
        ) : (
          <LogTable rows={log.rows} hasMore={log.hasMore} selected={selected} onSelect={select} onEnd={readOlder} />
        )}
        {selected !== null && <Inspector key={selected} id={selected} tab={tab} onTab={setTab} onClose={close} />}
      </div>
    </>
  );
}

function Totals({ filter }: { filter: Parameters<typeof useLog>[0] }) {
  const { data } = useRead("requests.totals", filter, { every: 10_000 });
  if (!data) return null;
  const unknown = Number(data.unknown);
  return (
    <span className="small t2 num wide" title={unknown > 0 ? `and ${plural(unknown, "request")} without a known cost` : undefined}>
      {count(data.requests)} {Number(data.requests) === 1 ? "request" : "requests"}, {moneyOf(data.cost_picousd, data.requests, data.unknown)}
    </span>
  );
}

/** The text as it was when the typing paused. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), SETTLES_AFTER);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
