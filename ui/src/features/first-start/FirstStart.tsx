import { useStatus } from "../../api/queries";
import { Icon } from "../../components/Icon";
import { go } from "../../lib/router";
import { useUi } from "../../lib/store";
import { testids } from "../../lib/testids";
import { DRILLS, EXAMPLES } from "./drills";

interface FirstStartProps {
  hasTalked: boolean;
  hasProvider: boolean;
  hasClient: boolean;
  /** The rehearsal is the chosen model, so its drills will work. */
  rehearsing: boolean;
  onPrompt(text: string): void;
  onRehearsal(): void;
}

/** An empty chat teaches the next step: what is done is ticked, what is next is marked. */
export function FirstStart(props: FirstStartProps) {
  const { hasTalked, hasProvider, hasClient } = props;
  const next = !hasTalked ? 1 : !hasProvider ? 2 : !hasClient ? 3 : 0;
  if (next === 0) return <PlainStart {...props} />;
  return (
    <div className="hello-wrap" data-testid={testids.firstStart}>
      <div className="hello">
        <div>
          <p className="hello-title">Every model behind one window and one port</p>
          <p className="lead">Nothing to sign up for. Try it first with the rehearsal provider, which lives in this app, costs nothing and sends nothing anywhere.</p>
          <Step n={1} next={next} done={hasTalked} title="Talk to the rehearsal">
            <p>It streams, calls tools, and fails on demand, in each way that real providers do. Write below, or pick a prompt.</p>
          </Step>
          <Step n={2} next={next} done={hasProvider} title="Add a provider">
            <p>Paste a key. It goes to the system keychain and is tested at once. Or use a model on this computer.</p>
            <div className="row">
              <button type="button" className={next === 1 ? "btn" : "btn primary"} onClick={() => { go("settings", "providers"); useUi.getState().show({ kind: "provider", id: null }); }}>
                <Icon name="key" small />
                Add a key
              </button>
            </div>
          </Step>
          <Step n={3} next={next} done={hasClient} title="Point a tool at the port">
            <PortHint />
          </Step>
        </div>
        <Rehearsal {...props} />
      </div>
    </div>
  );
}

function PortHint() {
  const { data: status } = useStatus();
  const address = status?.port.listening ?? status?.port.requested ?? null;
  return (
    <>
      <p>Anything that speaks to OpenAI can use {address === null ? "the port" : <code>http://{address}/v1</code>} with a key of yours.</p>
      <div className="row">
        <button type="button" className="btn" onClick={() => go("settings", "clients")}>Make a client key</button>
        <button type="button" className="btn quiet" onClick={() => go("settings", "port")}>Show the snippets</button>
      </div>
    </>
  );
}

function Step({ n, next, done, title, children }: { n: number; next: number; done: boolean; title: string; children: React.ReactNode }) {
  const state = done ? "done" : n === next ? "on" : "";
  return (
    <div className={`step ${state}`}>
      <span className="n" aria-hidden="true">{done ? <Icon name="check" small /> : n}</span>
      <h2>
        {title}
        {done && <span className="sr-only">, done</span>}
      </h2>
      {children}
    </div>
  );
}

function Rehearsal({ rehearsing, onPrompt, onRehearsal }: FirstStartProps) {
  return (
    <div className="demo">
      <div className="h">
        <Icon name="chat" small />
        <span className="med">Rehearsal</span>
        <span className="push t3 small">not a real model, costs nothing</span>
      </div>
      {rehearsing ? (
        <>
          <div className="b">
            <div className="label">Ask it</div>
            {EXAMPLES.map((text) => (
              <button type="button" key={text} className="btn small example" onClick={() => onPrompt(text)}>{text}</button>
            ))}
          </div>
          <div className="drills">
            <div className="label">Make it misbehave</div>
            <div className="row">
              {DRILLS.map((drill) => (
                <button type="button" key={drill.prompt} className="btn small" title={drill.prompt} data-testid={testids.drill} data-drill={drill.prompt} onClick={() => onPrompt(drill.prompt)}>{drill.label}</button>
              ))}
            </div>
          </div>
        </>
      ) : (
        <div className="b">
          <p className="t2">Its drills are prompts such as <code>/drill 429</code>. They need the rehearsal as the model of this chat.</p>
          <div className="row">
            <button type="button" className="btn small" onClick={onRehearsal}>Use the rehearsal here</button>
          </div>
        </div>
      )}
    </div>
  );
}

/** Once all three steps are done, an empty chat is only that. */
function PlainStart({ rehearsing, onPrompt }: FirstStartProps) {
  return (
    <div className="hello-wrap plain">
      <p className="t2">Write below to start. The whole chat goes to the model that is chosen there.</p>
      {rehearsing && (
        <div className="row drills-row">
          {DRILLS.map((drill) => (
            <button type="button" key={drill.prompt} className="btn small" title={drill.prompt} data-testid={testids.drill} data-drill={drill.prompt} onClick={() => onPrompt(drill.prompt)}>{drill.label}</button>
          ))}
        </div>
      )}
    </div>
  );
}
