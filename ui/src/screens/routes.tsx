import { useEffect, useMemo, useRef, useState } from "react";
import { backend } from "../api";
import { ControlError } from "../api/backend";
import type { HealthRow, LampState, RouteView } from "../api/bindings";
import { refresh, useModels, useRead } from "../api/queries";
import { Icon } from "../components/Icon";
import { Confirm } from "../components/Confirm";
import { Editor } from "../features/routes/Editor";
import { changesOf, type Draft, draftOf, isChanged } from "../features/routes/draft";
import { LastDecisions } from "../features/routes/LastDecisions";
import { NewRoute } from "../features/routes/NewRoute";
import { Picture } from "../features/routes/Picture";
import { partsOf, routeWords } from "../features/routes/words";
import { plural } from "../lib/format";
import { go, hrefOf } from "../lib/router";
import { testids } from "../lib/testids";
import "../features/routes/routes.css";

export type LampOf = (provider: string, model: string) => LampState;

export function RoutesScreen({ selected }: { selected: string | null }) {
  const { data: routes, error, isPending } = useRead("routes.list", {});
  const { data: health } = useRead("health.list", { minutes: 15 }, { every: 15_000 });
  const lampOf = useMemo(() => lamps(health ?? []), [health]);
  const [isAdding, setAdding] = useState(false);
  const route = routes?.find((r) => r.name === selected) ?? routes?.[0];
  return (
    <div className="routes">
      <nav className="route-list" aria-label="Routes">
        <div className="t"><h1>Routes</h1><button type="button" className="btn small icon push" aria-label="New route" onClick={() => setAdding(true)}><Icon name="plus" small /></button></div>
        {(routes ?? []).map((r) => (
          <a key={r.name} href={hrefOf("routes", r.name)} className={r === route ? "rt on" : "rt"} aria-current={r === route ? "page" : undefined} data-testid={testids.routeLink}>
            <Icon name="route" small /><span className="cut">{r.name}</span><span className="push">{r.targets.length}</span>
          </a>
        ))}
        <p className="hint">A client uses a route’s name as its model.</p>
      </nav>
      {error && <p className="screen-error" role="alert">{error.message}</p>}
      {!route && !isPending && !error && <p className="empty grow">No routes yet. A route is a name of yours for several models: when one fails, the next takes over before anybody notices. <button type="button" className="link" onClick={() => setAdding(true)}>Make one</button></p>}
      {route && <RoutePanes key={route.name} route={route} lampOf={lampOf} />}
      {isAdding && <NewRoute taken={(routes ?? []).map((r) => r.name)} onClose={() => setAdding(false)} />}
    </div>
  );
}

function lamps(rows: HealthRow[]): LampOf {
  const byTarget = new Map(rows.map((r) => [`${r.provider}/${r.model}`, r.lamp]));
  return (provider, model) => byTarget.get(`${provider}/${model}`) ?? "unknown";
}

function RoutePanes({ route, lampOf }: { route: RouteView; lampOf: LampOf }) {
  const [draft, setDraft] = useState<Draft>(() => draftOf(route));
  const [failure, setFailure] = useState<string | null>(null);
  const [isRemoving, setRemoving] = useState(false);
  const { data: models } = useModels();
  const saved = useMemo(() => draftOf(route), [route]);
  const changed = isChanged(saved, draft);
  // What somebody else wrote into the file is shown, unless it would take away what is being edited.
  const before = useRef(saved);
  useEffect(() => {
    const was = before.current;
    before.current = saved;
    setDraft((d) => (isChanged(was, d) ? d : saved));
  }, [saved]);
  const edited = useMemo(() => ({ ...route, ...draft.shown(route) }), [route, draft]);

  const save = async () => {
    try {
      await backend().call("routes.save", changesOf(route.name, saved, draft));
      setFailure(null);
      await refresh("routes.list", "settings.get", "models.list");
    } catch (error) {
      setFailure(ControlError.from(error).message);
    }
  };
  return (
    <>
      <section className="route-editor" aria-label={`Route ${route.name}`} data-testid={testids.routeEditor}>
        <header className="bar">
          <h2 className="cut title">{route.name}</h2>
          <span className="push" />
          {changed && <span className="small changed">not saved yet</span>}
          {changed && <button type="button" className="btn quiet" onClick={() => setDraft(saved)}>Undo</button>}
          {!changed && <button type="button" className="btn quiet" onClick={() => setRemoving(true)}>Remove</button>}
          <button type="button" className="btn primary" disabled={!changed} title={changed ? undefined : "Nothing was changed"} onClick={() => void save()} data-testid={testids.routeSave}>Save</button>
        </header>
        {failure !== null && <p className="form-error pad" role="alert">{failure}</p>}
        <div className="route-body" tabIndex={0} role="region" aria-label="What the route says">
          <Picture route={edited} lampOf={lampOf} />
          <Editor route={edited} draft={draft} onDraft={setDraft} lampOf={lampOf} models={models ?? []} />
        </div>
      </section>
      <aside className="plain" aria-label="In plain words">
        <div className="bar"><h2>In plain words</h2></div>
        <div className="plain-body" tabIndex={0} role="region" aria-label="The route in words">
          <section data-testid={testids.routeWords}>
            {routeWords(edited).map((p, i) => <p key={i}>{partsOf(p).map((part, j) => (part.isStrong ? <b key={j}>{part.text}</b> : part.text))}</p>)}
          </section>
          <LastDecisions route={route.name} />
        </div>
      </aside>
      {isRemoving && (
        <Confirm title={`Remove ${route.name}?`} text={`Clients that ask for ${route.name} will be told that there is no such model. Its ${plural(route.targets.length, "target")} stay.`} verb="Remove" onClose={() => setRemoving(false)} onConfirm={async () => {
          await backend().call("routes.remove", { id: route.name });
          await refresh("routes.list", "settings.get", "models.list");
          go("routes");
        }} />
      )}
    </>
  );
}
