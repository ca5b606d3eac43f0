/** A core in memory, for tests and for the page under `dev/`. It is not part of the build. */
import { type Backend, ControlError, type EventListener } from "../api/backend";
import type { AppStatus, ChatView, Commands, Decision, HealthRow, LampState, Limit, MessageView, ModelView, Place, ProviderView, RequestLine, RouteView, RoutingView, SpendSummary, Switch, WatchItem } from "../api/bindings";

type Watcher = { messageId: string; onItem(item: WatchItem): void; onLost(error: ControlError): void };

const HOUR = 3_600_000;
const USD = 1e12;

export class FakeBackend implements Backend {
  calls: { command: string; args: unknown }[] = [];
  watchers: (Watcher & { since: number })[] = [];
  listeners: EventListener[] = [];
  handlers: Partial<Record<keyof Commands, (args: never) => unknown>> = {};
  messages: MessageView[];
  chats: ChatView[];
  private n = 0;

  constructor(readonly scene: "full" | "first" = "full", readonly now = Date.now()) {
    this.messages = scene === "full" ? conversation(now) : [];
    this.chats = scene === "full" ? chats(now) : [];
  }

  call<K extends keyof Commands>(command: K, args: Commands[K]["args"]): Promise<Commands[K]["result"]> {
    this.calls.push({ command, args });
    const handler = this.handlers[command] as ((args: Commands[K]["args"]) => Commands[K]["result"]) | undefined;
    try {
      return Promise.resolve(handler ? handler(args) : (this.answer(command, args as Record<string, unknown>) as Commands[K]["result"]));
    } catch (error) {
      return Promise.reject(ControlError.from(error));
    }
  }

  listen(listener: EventListener): () => void {
    this.listeners.push(listener);
    listener.onConnected();
    return () => {
      this.listeners = this.listeners.filter((l) => l !== listener);
    };
  }

  watch(messageId: string, since: number, onItem: (item: WatchItem) => void, onLost: (error: ControlError) => void): () => void {
    const watcher = { messageId, since, onItem, onLost };
    this.watchers.push(watcher);
    if (messageId === "m6") queueMicrotask(() => onItem({ seq: 1, kind: "snapshot", text: STREAMING, reasoning: "" }));
    return () => {
      this.watchers = this.watchers.filter((w) => w !== watcher);
    };
  }

  openLink(): Promise<void> {
    return Promise.resolve();
  }

  emit(messageId: string, item: WatchItem): void {
    for (const w of [...this.watchers]) if (w.messageId === messageId) w.onItem(item);
  }

  private answer(command: keyof Commands, args: Record<string, unknown>): unknown {
    const full = this.scene === "full";
    switch (command) {
      case "app.status":
        return status(full);
      case "providers.kinds":
        return ["anthropic", "openai", "google", "groq", "mistral", "deepseek", "ollama", "openrouter"].map((kind) => ({ kind, name: kind[0]?.toUpperCase() + kind.slice(1), protocol: kind === "anthropic" ? "anthropic-messages" : "openai-chat", base_url: `https://api.${kind}.com/v1`, key_env: `${kind.toUpperCase()}_API_KEY`, needs_key: kind !== "ollama", docs: `https://docs.${kind}.com`, variables: [] }));
      case "providers.look":
      case "providers.list":
        return full ? PROVIDERS : PROVIDERS.filter((p) => p.is_rehearsal);
      case "providers.test":
        return args["id"] === "mistral" ? { ok: false, latency_ms: 213, models: null, error: { kind: "authentication", message: "Mistral answered 401: Unauthorized" } } : { ok: true, latency_ms: 412, models: 12, error: null };
      case "models.list":
      case "providers.models":
        return full ? MODELS : MODELS.filter((m) => m.provider === "rehearsal");
      case "clients.list":
        return full ? [{ id: "c1", name: "my-editor", key_hint: "x9Qa", created_at: this.now - 50 * HOUR, last_seen_at: this.now - 120_000 }, { id: "c2", name: "night-batch", key_hint: "T-3f", created_at: this.now - 20 * HOUR, last_seen_at: null }] : [];
      case "clients.add":
        return { id: "c9", name: args["name"], key: "sb-Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE" };
      case "settings.get":
        return { path: "/home/me/.config/signalbox/signalbox.toml", text: SETTINGS, listen: "127.0.0.1:8790" };
      case "settings.set_text":
        return String(args["text"]).includes("lisen") ? { message: "unknown key `lisen` in [port]", line: 3, key: "lisen", nearest: "listen" } : null;
      case "routes.list":
        return full ? ROUTES : [];
      case "chats.list":
        return this.chats.filter((c) => c.title.toLowerCase().includes(String(args["query"] ?? "").toLowerCase()));
      case "chats.create": {
        const chat: ChatView = { id: `chat-${++this.n}`, title: "", created_at: this.now, updated_at: this.now, message_count: 0, model: String(args["model"] ?? ""), is_streaming: false, draft: "" };
        this.chats.unshift(chat);
        return chat;
      }
      case "chats.get": {
        const chat = this.chats.find((c) => c.id === args["id"]);
        if (!chat) throw new ControlError("not_found", `There is no chat "${String(args["id"])}".`);
        return { chat, messages: this.messages.filter((m) => m.chat_id === chat.id) };
      }
      case "chat.send": {
        const user: MessageView = { ...BLANK, id: `u${++this.n}`, chat_id: String(args["chat_id"]), parent_id: (args["parent_id"] as string | null) ?? null, role: "user", text: String(args["text"]), state: "complete", created_at: this.now + this.n };
        const reply: MessageView = { ...BLANK, id: `a${++this.n}`, chat_id: user.chat_id, parent_id: user.id, role: "assistant", state: "streaming", model: String(args["model"]), created_at: this.now + this.n };
        this.messages = [...this.messages, user, reply];
        return { user_message_id: user.id, message_id: reply.id, request_id: `r${this.n}` };
      }
      case "chat.regenerate": {
        const old = this.messages.find((m) => m.id === args["message_id"]);
        const reply: MessageView = { ...BLANK, id: `a${++this.n}`, chat_id: old?.chat_id ?? "", parent_id: old?.parent_id ?? null, role: "assistant", state: "streaming", model: old?.model ?? null, created_at: this.now + this.n };
        this.messages = [...this.messages, reply];
        return { user_message_id: old?.parent_id ?? "", message_id: reply.id, request_id: `r${this.n}` };
      }
      case "requests.get":
        return REQUEST(this.now);
      case "requests.list":
        return { rows: full ? lines(this.now) : [], has_more: false };
      case "requests.totals":
        return full ? { requests: 1_021, cost_picousd: 1.83 * USD, unknown: 3 } : { requests: 0, cost_picousd: 0, unknown: 0 };
      case "routing.view":
        return full ? routing(this.now) : { at: this.now, targets: [], providers: [], budgets: [], ignored_headers: 0 };
      case "routing.probe":
        return { ok: true, request_id: "r1", duration_ms: 410, error: null };
      case "requests.switches":
        return full ? switches(this.now) : [];
      case "health.list":
        return full ? health(this.now) : [];
      case "tools.failures":
        return full ? [TOOL_FAILURE(this.now)] : [];
      case "spend.summary":
        return full ? spend(Number(args["days"]), args["group_by"] === "model") : { today_picousd: 0, month_picousd: 0, today_unknown: 0, month_unknown: 0, today_requests: 0, month_requests: 0, days: [], totals: [] };
      default:
        return null;
    }
  }
}

const BLANK: MessageView = { id: "", chat_id: "", parent_id: null, role: "assistant", text: "", reasoning: "", tool_calls: [], model: null, state: "complete", error: null, created_at: 0, request_id: null, receipt: null };

function status(full: boolean): AppStatus {
  return {
    version: "0.1.0",
    port: { listening: "127.0.0.1:8790", error: null, requested: "127.0.0.1:8790", suggestion: null },
    running_requests: full ? 3 : 0,
    today: { cost_picousd: full ? 6.42 * USD : 0, unknown_count: full ? 4 : 0, requests: full ? 412 : 0 },
    worst_lamp: full ? "open" : "unknown",
    keychain: { state: full ? "available" : "absent", message: full ? null : "No Secret Service answers on this machine." },
    config_path: "/home/me/.config/signalbox/signalbox.toml",
    data_dir: "/home/me/.local/share/signalbox",
    config_error: null,
    ledger: { state: "ok", dropped: 0, message: null },
  };
}

function provider(id: string, rest: Partial<ProviderView> = {}): ProviderView {
  return { id, kind: id, name: id[0]?.toUpperCase() + id.slice(1), protocol: "openai-chat", base_url: `https://api.${id}.com/v1`, key_source: "keychain", key_env: null, key_state: "present", key_message: null, is_rehearsal: false, is_discovered: false, own_base_url: null, variables: {}, model_count: 4, ...rest };
}

const PROVIDERS: ProviderView[] = [
  provider("anthropic", { protocol: "anthropic-messages" }),
  provider("openai", { model_count: 11 }),
  provider("google", { key_source: "env", key_env: "GEMINI_API_KEY", model_count: 9 }),
  provider("groq", { key_state: "missing", key_message: "The keychain holds no key for it", model_count: null }),
  provider("mistral"),
  provider("moonshot", { key_state: "locked" }),
  provider("ollama", { key_source: "none", key_state: "not_needed", model_count: 5, base_url: "http://127.0.0.1:11434/v1" }),
  provider("lmstudio", { key_source: "none", key_state: "not_needed", is_discovered: true, model_count: 2, base_url: "http://127.0.0.1:1234/v1" }),
  provider("rehearsal", { key_source: "none", key_state: "not_needed", is_rehearsal: true, model_count: 19, base_url: "in this app" }),
];

function model(id: string, window: number | null, input: string | null, output: string | null): ModelView {
  const [provider = "", name = ""] = id.split("/");
  return { id, provider, model: name, name, is_route: false, context_window: window, max_output_tokens: null, input_usd_per_mtok: input, output_usd_per_mtok: output };
}

const MODELS: ModelView[] = [
  { id: "deep", provider: null, model: "deep", name: "deep", is_route: true, context_window: null, max_output_tokens: null, input_usd_per_mtok: null, output_usd_per_mtok: null },
  model("anthropic/claude-sonnet-5", 1_000_000, "3", "15"),
  model("anthropic/claude-haiku-4-5", 200_000, "1", "5"),
  model("openai/gpt-5.4", 1_050_000, "2.5", "15"),
  model("openai/gpt-5.4-mini", 400_000, "0.75", "4.5"),
  model("ollama/qwen3:14b", 40_960, null, null),
  model("rehearsal/steady", 200_000, "0", "0"),
  model("rehearsal/drill-429", 200_000, "0", "0"),
];

function chats(now: number): ChatView[] {
  const titles = ["WAL checkpoint stalls", "SSE framing, split UTF-8", "Half-open ramp: how many probes?", "Pico-dollar rounding rules", "Keyring on headless Linux", "Grant report, second pass", "Minutes of the board, October", "Letter to the landlord", "Sourdough at 14 °C"];
  return titles.map((title, i) => ({ id: i === 0 ? "wal" : `c${i}`, title, created_at: now - i * 7 * HOUR, updated_at: now - i * i * 3 * HOUR, message_count: 6, model: i === 0 ? "openai/gpt-5.4" : null, is_streaming: i === 0, draft: i === 2 ? "and then" : "" }));
}

const STREAMING = "One thread owns the connection, so the timer is only a deadline on its receive call:\n\n```rust\nloop {\n    match inbox.recv_timeout(due.saturating_duration_since(now())) {\n        Ok(Msg::Batch(rows)) => write(&mut db, rows)?,\n        Ok(Msg::Close) => return checkpoint(&db, Mode::Truncate), // last one, on purpose\n        Err(Timeout) => { checkpoint(&db, Mode::Passive)?; due = now() + 2 * SECOND";

function conversation(now: number): MessageView[] {
  const receipt = { request_id: "r1", route: "deep", provider: "openai", model: "gpt-5.4", attempts: 2, time_to_first_token_ms: 840, duration_ms: 11_300, tokens_per_second: 71.2, usage: { input: 6176, cache_read: 2048, cache_write: 0, output: 730, reasoning: 204 }, cost_picousd: 0.0197 * USD, cost_status: "computed" as const, finish_reason: "stop" };
  const of = (rest: Partial<MessageView>): MessageView => ({ ...BLANK, chat_id: "wal", request_id: "r1", ...rest });
  const answer = "The pause is SQLite’s automatic checkpoint. When the WAL passes 1,000 pages, the commit that crosses the line copies them back into the database, and that commit is yours: `writer.rs:71` sends 4,096 rows at once. Take the work out of the commit:\n\n1. Set `wal_autocheckpoint = 0` on the writer’s connection.\n2. Run `wal_checkpoint(PASSIVE)` from a timer, between batches, every 2 s.\n\n| mode | waits for readers | truncates |\n|---|---|---|\n| passive | no | no |\n| truncate | yes | yes |\n\n```sql\n-- how far behind is it?\nSELECT * FROM pragma_wal_checkpoint('PASSIVE') WHERE log > 1000;\n```\n";
  return [
    of({ id: "m1", role: "user", text: "The ledger writer stalls for 400 ms every few minutes. WAL mode, one writer. Why?", created_at: now - 5 * 60_000 }),
    of({ id: "m2", parent_id: "m1", text: "It is the disk.", model: "openai/gpt-5.4-mini", state: "truncated", error: { kind: "truncated", message: "The stream ended before its last event" }, created_at: now - 4 * 60_000, receipt: { ...receipt, attempts: 1, cost_picousd: null, cost_status: "unknown", usage: null, finish_reason: null } }),
    of({ id: "m3", parent_id: "m1", text: answer, reasoning: "A stall with a period hints at a checkpoint.\nLet me look at the writer.", tool_calls: [{ id: "t1", name: "read_file", arguments: '{"path":"ledger/writer.rs","lines":"40-96"}' }], model: "deep", created_at: now - 3 * 60_000, receipt }),
    of({ id: "m4", parent_id: "m3", role: "user", text: "Show me the timer. It must not fight the shutdown.", created_at: now - 60_000 }),
    of({ id: "m6", parent_id: "m4", model: "openai/gpt-5.4", state: "streaming", created_at: now - 30_000 }),
  ];
}

const wave = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => Math.max(0, Math.round(of(i))));

function health(now: number): HealthRow[] {
  const row = (provider: string, model: string, lamp: LampState, requests: number, rate: number, p50: number | null, tps: number | null, error: string | null): HealthRow => ({
    provider, model, lamp, requests, answered: requests - Math.round(requests * rate) - (rate > 0.02 ? 3 : 0), refused: rate > 0.02 ? 1 : 0, errors: Math.round(requests * rate), error_rate: rate, truncated: rate > 0.02 ? 2 : 0, checked: Math.round(requests / 2), check_failures: rate > 0.02 ? 3 : 0, check_repairs: rate > 0.02 ? 2 : 0, refusals: rate > 0.1 ? 1 : 0,
    ttft_ms: p50 === null ? null : { p50, p95: p50 * 2.1, p99: p50 * 4.7 }, duration_ms: p50 === null ? null : { p50: p50 * 7, p95: p50 * 15, p99: p50 * 22 }, tokens_per_second: tps,
    last_error: error === null ? null : { kind: error, message: `${provider} answered: ${error.replaceAll("_", " ")}, and a longer sentence about what it said`, at: now - requests * 9000 },
    last_seen_at: now - 20_000, sparkline: wave(30, (i) => 5 + 4 * Math.sin(i / 2 + requests)), error_sparkline: wave(30, (i) => (rate > 0.02 && i % 9 === 4 ? 1 : 0)),
  });
  return [
    row("anthropic", "claude-sonnet-5", "ok", 412, 0.017, 780, 74, "overloaded"), row("anthropic", "claude-haiku-4-5", "ok", 188, 0, 410, 142, null), row("openai", "gpt-5.4", "ok", 356, 0.003, 920, 71, null), row("openai", "gpt-5.4-mini", "ok", 97, 0, 520, 118, null), row("google", "gemini-3.8-flash", "ok", 503, 0.002, 360, 186, null),
    row("deepseek", "deepseek-v4-pro", "degraded", 64, 0.031, 2400, 31, "timeout"), row("groq", "gpt-oss-120b", "open", 231, 0.224, 190, 512, "rate_limited"), row("xai", "grok-4.7", "half_open", 38, 0.105, 1200, 66, "network"), row("mistral", "mistral-medium-3.5", "parked", 6, 1, null, null, "authentication"), row("moonshot", "kimi-k3", "unknown", 0, 0, null, null, null),
  ];
}

function spend(days: number, byModel: boolean): SpendSummary {
  const keys = byModel ? ["anthropic/claude-sonnet-5", "openai/gpt-5.4", "google/gemini-3.8-flash", "anthropic/claude-opus-5", "moonshot/kimi-k3", "deepseek/deepseek-v4-pro", "openai/gpt-5.4-mini", "groq/qwen-3.5-27b"] : ["anthropic", "openai", "google", "moonshot", "deepseek", "mistral", "openrouter", "groq"];
  const weight = [4.6, 3.5, 1.7, 1.3, 0.9, 0.6, 0.5, 0];
  const group = (key: string, k: number, i: number) => ({ key, cost_picousd: Math.round((weight[k] ?? 0) * (0.6 + 0.5 * Math.abs(Math.sin(i * 1.3 + k))) * 0.6 * USD), requests: 40 + k * 7, input_tokens: 210_000 + k * 1000, output_tokens: 30_000, unknown: k === 7 ? 47 : 0 });
  const list = Array.from({ length: days }, (_, i) => ({ date: new Date(Date.now() - (days - 1 - i) * 24 * HOUR).toISOString().slice(0, 10), groups: keys.map((key, k) => group(key, k, i)) }));
  const totals = keys.map((key, k) => {
    const all = list.flatMap((d) => d.groups.filter((g) => g.key === key));
    const sum = (of: (g: (typeof all)[number]) => number) => all.reduce((n, g) => n + of(g), 0);
    return { key, cost_picousd: sum((g) => g.cost_picousd), requests: sum((g) => g.requests), input_tokens: sum((g) => g.input_tokens), cache_read_tokens: Math.round(sum((g) => g.input_tokens) * 0.41), output_tokens: sum((g) => g.output_tokens), unknown: k === 7 ? sum((g) => g.requests) : 0 };
  });
  return { today_picousd: 6.42 * USD, month_picousd: 148.2 * USD, today_unknown: 4, month_unknown: 38, today_requests: 212, month_requests: 4210, days: list, totals };
}

const TOOL_FAILURE = (now: number): Commands["tools.failures"]["result"][number] => ({
  request_id: "0199a2b4-77aa-7c31-9d5e-000000000001", ordinal: 0, at: now - 60_000, provider: "groq", model: "gpt-oss-120b", tool: "get_weather", kind: "schema_mismatch", path: "/days", message: "`/days` is string where the schema wants integer.", remedy: "repaired", repairs: "to_number", arguments: '{"city":"Oslo","days":"3"}', schema: null,
});

const LINE: RequestLine = {
  id: "", started_at: 0, status: "ok", client: "Claude Code", dialect: "anthropic-messages", operation: "chat", route: "deep", request_model: "deep", stream: true, provider: "anthropic", model: "claude-sonnet-5", attempts: 1, switches: 0,
  http_status: 200, error_kind: null, time_to_first_token_ms: 810, duration_ms: 6_200, input_tokens: 47_902, output_tokens: 388, cost_picousd: 0.0154 * USD, cost_status: "computed",
};

function lines(now: number): RequestLine[] {
  const some: Partial<RequestLine>[] = [
    { status: "running", duration_ms: null, output_tokens: null, input_tokens: null, cost_picousd: null, cost_status: "unknown" },
    {},
    { client: "agents-300", route: "fast", provider: "google", model: "gemini-3.8-flash", attempts: 2, switches: 1, input_tokens: 1_988, output_tokens: 402, cost_picousd: 0.003 * USD },
    { client: null, dialect: "chat", provider: "openai", model: "gpt-5.4", attempts: 2, switches: 1, time_to_first_token_ms: 840, duration_ms: 11_300, input_tokens: 6_176, output_tokens: 730, cost_picousd: 0.0197 * USD },
    { client: null, dialect: "chat", route: null, provider: "ollama", model: "qwen3:14b", status: "cancelled", cost_picousd: 0 },
    { client: "translate.py", route: "mistral", provider: "mistral", model: "mistral-medium-3.5", status: "failed", error_kind: "authentication", time_to_first_token_ms: null, duration_ms: 210, output_tokens: null, cost_picousd: 0 },
    { client: "aider", route: "code", provider: "groq", model: "qwen-3.5-27b", cost_picousd: null, cost_status: "unknown", input_tokens: 18_220, output_tokens: 640 },
    { client: "aider", route: "code", provider: "openai", model: "gpt-5.4", status: "truncated", error_kind: "truncated" },
  ];
  return Array.from({ length: 60 }, (_, n) => ({ ...LINE, ...some[n % some.length], ...(n >= some.length && n % some.length === 0 ? LINE : {}), id: n === 3 ? "0199a2b4-77aa-7c31-9d5e-000000000001" : `r${n}`, started_at: now - n * 37_000 }));
}

const SWITCH: Switch = { request_id: "0199a2b4-77aa-7c31-9d5e-000000000001", at: 0, from_provider: "anthropic", from_model: "claude-sonnet-5", to_provider: "openai", to_model: "gpt-5.4", reason: "failover", error_kind: "overloaded", error_message: "Overloaded", http_status: 529, after_ms: 640, is_saved: true };

function switches(now: number): Switch[] {
  return [
    { ...SWITCH, at: now - 180_000 },
    { ...SWITCH, at: now - 201_000 },
    { ...SWITCH, at: now - 204_000, is_saved: false },
    { ...SWITCH, at: now - 660_000, from_provider: "groq", from_model: "gpt-oss-120b", to_provider: "google", to_model: "gemini-3.8-flash", error_kind: "rate_limited", http_status: 429 },
    { ...SWITCH, at: now - 1_500_000, from_provider: "groq", from_model: "gpt-oss-120b", to_provider: "google", to_model: "gemini-3.8-flash", error_kind: null, http_status: null, reason: "hedge" },
  ];
}

const PLACE: Place = { provider: "", model: "", circuit: "closed", share: null, against: null, opens_in_ms: null, in_flight: 0, is_drained: false, limits: [] };
const LIMIT: Limit = { counted: "requests", window_ms: 60_000, most: 100, left: 71, resets_in_ms: 31_000, is_set: false };

function routing(now: number): RoutingView {
  const targets = [
    { provider: "anthropic", model: "claude-sonnet-5", limits: [LIMIT, { ...LIMIT, counted: "input_tokens", most: 400_000, left: 232_000 }] },
    { provider: "groq", model: "gpt-oss-120b", circuit: "open", against: "circuit_open", opens_in_ms: 41_000, limits: [{ ...LIMIT, left: 0 }, { ...LIMIT, counted: "tokens", most: 8_000, left: 960 }] },
    { provider: "xai", model: "grok-4.7", circuit: "ramp", share: 0.25 },
    { provider: "mistral", model: "mistral-medium-3.5", against: "parked", opens_in_ms: 1_700_000 },
  ];
  return { at: now, targets: targets.map((t) => ({ ...PLACE, ...t })), providers: [], ignored_headers: 0, budgets: [{ name: "daily", per: "day", amount_picousd: 8 * USD, spent_picousd: 4.71 * USD, reserved_picousd: 0.02 * USD, resets_at: now + 9 * HOUR, share: 0.59, unknown: 4 }] };
}

const ANY = { models: [], clients: [], tags: [], tasks: [], min_input_tokens: null, max_input_tokens: null, tools: null, images: null, schema: null, code: null };
const TARGET = { weight: 1, tier: null, only_after: [], when: null };
const ROUTE: RouteView = {
  name: "deep", strategy: "priority", rules: [{ when: { ...ANY, min_input_tokens: 400_000 }, targets: [2], tier: null }], tiers: false, sticky_ms: 600_000, hedge: { is_p95: true, after_ms: null, share: null }, hold_chars: 0, hold_ms: null, on_break: "continue", total_ms: 60_000, first_content_ms: 8_000, tool_check: "repair", output_check: null,
  targets: [{ ...TARGET, provider: "anthropic", model: "claude-sonnet-5", tier: "complex" }, { ...TARGET, provider: "openai", model: "gpt-5.4", tier: "complex" }, { ...TARGET, provider: "google", model: "gemini-3.1-pro-preview", when: { ...ANY, min_input_tokens: 400_000 } }, { ...TARGET, provider: "xai", model: "grok-4.7", only_after: ["content_filtered"] }],
  budgets: [{ name: "daily", amount_picousd: 8 * USD, per: "day", then: "downgrade", then_route: "cheap" }],
};
const ROUTES: RouteView[] = [ROUTE, ...["fast", "code", "cheap"].map((name) => ({ ...ROUTE, name, strategy: name === "cheap" ? "lowest-cost" : "weighted", rules: [], budgets: [], targets: ROUTE.targets.slice(0, 2) }))];

const candidate = { rank: null, why: null, score: null, estimated_cost: null, ttft_p95_ms: null, quota_left: null, sticky: false };
const step = { provider: null, model: null, why: null, against: null, cause: null, wait_ms: null, at_chars: null };
const DECISION: Decision = {
  route: "deep", strategy: "score", task: { class: "complex", why: "it brings 14 tools" }, rule: 1, budgets: ["daily"],
  candidates: [
    { ...candidate, provider: "anthropic", model: "claude-sonnet-5", rank: 1, score: 0.09, estimated_cost: "18400000000", ttft_p95_ms: 1_210, quota_left: 0.62, sticky: true },
    { ...candidate, provider: "openai", model: "gpt-5.4", rank: 2, score: 0.16, estimated_cost: "21000000000", ttft_p95_ms: 980, quota_left: 0.91 },
    { ...candidate, provider: "groq", model: "gpt-oss-120b", why: "circuit_open" },
    { ...candidate, provider: "google", model: "gemini-3.8-flash", why: "condition" },
    { ...candidate, provider: "mistral", model: "mistral-medium-3.5", why: "parked" },
  ],
  steps: [
    { ...step, at_ms: 0, what: "asked", provider: "anthropic", model: "claude-sonnet-5", why: "first" },
    { ...step, at_ms: 640, what: "failed", provider: "anthropic", model: "claude-sonnet-5", cause: "failed" },
    { ...step, at_ms: 640, what: "passed_over", provider: "groq", model: "gpt-oss-120b", against: "circuit_open" },
    { ...step, at_ms: 700, what: "asked", provider: "openai", model: "gpt-5.4", why: "failover" },
    { ...step, at_ms: 11_300, what: "answered", provider: "openai", model: "gpt-5.4" },
  ],
};

const REQUEST = (now: number): Commands["requests.get"]["result"] => ({
  id: "0199a2b4-77aa-7c31-9d5e-000000000001", started_at: now - 180_000, client: null, dialect: "chat", operation: "chat", chat_id: "c1", message_id: "m2", route: "deep", provider: "openai", model: "gpt-5.4", request_model: "deep", response_model: "gpt-5.4", stream: true, status: "ok", http_status: 200, error_kind: null, error_message: null, finish_reason: "stop", finish_reason_raw: "stop",
  usage: { input: 6176, cache_read: 2048, cache_write: 0, output: 730, reasoning: 204 }, cost_picousd: 0.0197 * USD, cost_status: "computed", cost_lines: [{ label: "input", model: null, quantity: 4128, cost_picousd: 0.01032 * USD }, { label: "cache_read", model: null, quantity: 2048, cost_picousd: 0.000512 * USD }, { label: "output", model: null, quantity: 730, cost_picousd: 0.008868 * USD }],
  cost_notes: [], duration_ms: 11_300, time_to_first_token_ms: 1_690, price_version: "2026-11-20", decision: DECISION, tool_failures: [TOOL_FAILURE(now)],
  attempts: [
    { id: "a1", ordinal: 0, provider: "anthropic", model: "claude-sonnet-5", outcome: "failed", error_kind: "overloaded", http_status: 529, reason: "first", error_message: "Overloaded", duration_ms: 640, time_to_first_token_ms: null, cost_picousd: null, cost_status: "unknown", started_at: now - 180_000, lane: null, unknown_frames: 0, malformed_frames: 0, error_body: '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}', notes: [], usage: null, provider_request_id: "req_011CVk7Tq9" },
    { id: "a2", ordinal: 1, provider: "openai", model: "gpt-5.4", outcome: "ok", error_kind: null, http_status: 200, reason: "failover", error_message: null, duration_ms: 10_600, time_to_first_token_ms: 840, cost_picousd: 0.0197 * USD, cost_status: "computed", started_at: now - 179_000, lane: "translated", unknown_frames: 1, malformed_frames: 2, error_body: null, notes: ["dropped:seed", "schema:minimum in response_format/properties/age"], usage: { input: 6176, cache_read: 2048, cache_write: 0, output: 730, reasoning: 204 }, provider_request_id: "chatcmpl-CdR2w8" },
  ],
});

const SETTINGS = '# Signalbox settings. Edited here or with any editor; read again when it changes.\n[port]\nlisten = "127.0.0.1:8790"\n\n[[provider]]\nid = "anthropic"\nkind = "anthropic"\nkey = "keychain"\n\n[[route]]\nname = "deep"\nstrategy = "ordered"\ntargets = [\n  { provider = "anthropic", model = "claude-sonnet-5" },\n  { provider = "openai", model = "gpt-5.4" },\n]\n';
