// Written from the contract until the control crate generates it.
export type CostStatus = "reported" | "computed" | "estimated" | "unknown";
export type LampState = "ok" | "degraded" | "open" | "half_open" | "parked" | "unknown";
export type KeychainState = "available" | "locked" | "absent" | "error";
export type KeyState = "present" | "missing" | "locked" | "absent" | "error" | "not_needed";
export type MessageState = "complete" | "streaming" | "stopped" | "failed" | "interrupted" | "truncated";
export type Empty = Record<string, never>;
export type AppStatus = {
  version: string;
  port: { listening: string | null; error: string | null; requested: string };
  running_requests: number;
  today: { cost_picousd: number | null; unknown_count: number; requests: number };
  worst_lamp: LampState;
  keychain: { state: KeychainState; message: string | null };
  config_path: string;
  data_dir: string;
  config_error: string | null;
  ledger: { state: string; dropped: number; message: string | null };
};
export type ProviderKind = { kind: string; name: string; protocol: string; base_url: string; key_env: string | null; needs_key: boolean; docs: string };
export type ProviderView = {
  id: string; kind: string; name: string; protocol: string; base_url: string;
  key_source: "keychain" | "env" | "none"; key_env: string | null; key_state: KeyState; key_message: string | null;
  is_rehearsal: boolean; model_count: number | null;
};
export type ProviderTest = { ok: boolean; latency_ms: number | null; models: number | null; error: { kind: string; message: string } | null };
export type ModelView = {
  id: string; provider: string | null; model: string; name: string; is_route: boolean;
  context_window: number | null; max_output_tokens: number | null; input_usd_per_mtok: string | null; output_usd_per_mtok: string | null;
};
export type ClientView = { id: string; name: string; key_hint: string; created_at: number; last_seen_at: number | null };
export type RouteView = { name: string; strategy: string; targets: { provider: string; model: string }[] };
export type ChatView = { id: string; title: string; created_at: number; updated_at: number; message_count: number; model: string | null; is_streaming: boolean; draft: string };
export type ToolCallView = { id: string; name: string; arguments: string };
export type UsageView = { input: number; cache_read: number; cache_write: number; output: number; reasoning: number };
export type Receipt = {
  request_id: string; route: string | null; provider: string | null; model: string | null; attempts: number;
  time_to_first_token_ms: number | null; duration_ms: number | null; tokens_per_second: number | null; usage: UsageView | null;
  cost_picousd: number | null; cost_status: CostStatus; finish_reason: string | null;
};
export type MessageView = {
  id: string; chat_id: string; parent_id: string | null; role: "user" | "assistant" | "system"; text: string; reasoning: string;
  tool_calls: ToolCallView[]; model: string | null; state: MessageState; error: { kind: string; message: string } | null;
  created_at: number; request_id: string | null; receipt: Receipt | null;
};
export type AttemptView = {
  id: string; ordinal: number; provider: string; model: string; outcome: string; error_kind: string | null; http_status: number | null;
  reason: string | null; error_message: string | null; duration_ms: number | null; time_to_first_token_ms: number | null; cost_picousd: number | null; cost_status: CostStatus; started_at: number;
};
export type RequestView = {
  id: string; started_at: number; client: string | null; dialect: string; route: string | null; provider: string | null; request_model: string;
  response_model: string | null; stream: boolean; status: string; http_status: number | null; error_kind: string | null; error_message: string | null; finish_reason: string | null;
  finish_reason_raw: string | null; usage: UsageView | null; cost_picousd: number | null; cost_status: CostStatus; cost_lines: { label: string; quantity: number; cost_picousd: number }[]; duration_ms: number | null;
  time_to_first_token_ms: number | null; attempts: AttemptView[];
};
export type Quantiles = { p50: number; p95: number; p99: number };
export type HealthRow = {
  provider: string; model: string; lamp: LampState; requests: number; errors: number; error_rate: number; truncated: number;
  ttft_ms: Quantiles | null; duration_ms: Quantiles | null; tokens_per_second: number | null;
  last_error: { kind: string; message: string; at: number } | null; last_seen_at: number | null; sparkline: number[]; error_sparkline: number[];
};
export type SpendGroup = { key: string; cost_picousd: number; requests: number; input_tokens: number; output_tokens: number; unknown: number };
export type SpendTotal = SpendGroup & { cache_read_tokens: number };
export type SpendSummary = {
  today_picousd: number; month_picousd: number; today_unknown: number; month_unknown: number;
  days: { date: string; groups: SpendGroup[] }[]; totals: SpendTotal[];
};
export type SettingsError = { message: string; line: number | null; key: string | null; nearest: string | null };
export type WatchItem = {
  seq: number; kind: "snapshot" | "delta" | "end"; text?: string | null; reasoning?: string | null; tool_calls?: ToolCallView[] | null; message?: MessageView | null;
};
export type SendResult = { user_message_id: string; message_id: string; request_id: string };
export type Commands = {
  "app.status": { args: Empty; result: AppStatus };
  "providers.kinds": { args: Empty; result: ProviderKind[] };
  "providers.list": { args: Empty; result: ProviderView[] };
  "providers.save": { args: { id: string; kind: string; base_url?: string; protocol?: string; key: string; secret?: string }; result: null };
  "providers.remove": { args: { id: string }; result: null };
  "providers.set_key": { args: { id: string; secret: string }; result: null };
  "providers.test": { args: { id: string }; result: ProviderTest };
  "providers.models": { args: { id: string }; result: ModelView[] };
  "models.list": { args: Empty; result: ModelView[] };
  "clients.list": { args: Empty; result: ClientView[] };
  "clients.add": { args: { name: string }; result: { id: string; name: string; key: string } };
  "clients.remove": { args: { id: string }; result: null };
  "settings.get": { args: Empty; result: { path: string; text: string; listen: string } };
  "settings.set_text": { args: { text: string }; result: SettingsError | null };
  "settings.set_listen": { args: { listen: string }; result: null };
  "routes.list": { args: Empty; result: RouteView[] };
  "chats.list": { args: { query?: string }; result: ChatView[] };
  "chats.create": { args: { model?: string }; result: ChatView };
  "chats.get": { args: { id: string }; result: { chat: ChatView; messages: MessageView[] } };
  "chats.rename": { args: { id: string; title: string }; result: null };
  "chats.delete": { args: { id: string }; result: null };
  "chats.set_draft": { args: { id: string; text: string }; result: null };
  "chat.send": { args: { chat_id: string; parent_id: string | null; text: string; model: string }; result: SendResult };
  "chat.regenerate": { args: { message_id: string; model?: string }; result: SendResult };
  "chat.stop": { args: { message_id: string }; result: null };
  "requests.get": { args: { id: string }; result: RequestView };
  "health.list": { args: { minutes: number }; result: HealthRow[] };
  "spend.summary": { args: { days: number; group_by: "provider" | "model"; utc_offset_minutes: number }; result: SpendSummary };
};
export type Events = {
  "request.started": { id: string };
  "attempt.failed": { request_id: string };
  "request.settled": { id: string };
  "config.changed": { error: string | null };
  "port.changed": { listening: string | null };
  "chats.changed": { chat_id: string };
};
