// Generated from src-tauri/crates/control by its tests; do not edit.
// SIGNALBOX_WRITE_BINDINGS=1 cargo test -p control --lib bindings

export type AddClientArgs = { name: string, };
export type AppStatus = { version: string, port: PortStatus, running_requests: number, today: TodaySpend, worst_lamp: LampState, keychain: KeychainStatus, config_path: string, data_dir: string,
/**
 * The settings file as it stands is not in force, and why.
 */
config_error: string | null, ledger: LedgerView, };
export type AttemptFailedEvent = { request_id: string, provider: string, model: string, error_kind: string, };
export type AttemptView = { id: string,
/**
 * From 0.
 */
ordinal: number, provider: string, model: string, outcome: string, error_kind: string | null, http_status: number | null,
/**
 * Why it was made.
 */
reason: string | null, error_message: string | null, duration_ms: number | null, time_to_first_token_ms: number | null, cost_picousd: number | null, cost_status: CostStatus, started_at: number,
/**
 * `verbatim` or `translated`, where an answer began.
 */
lane: string | null,
/**
 * Pieces of its stream that were passed over: of no known kind.
 */
unknown_frames: number,
/**
 * Likewise: not to be read.
 */
malformed_frames: number,
/**
 * A refusal in the provider's own words.
 */
error_body: string | null,
/**
 * What of the request the provider was not told as the client said it (`dropped:seed`).
 */
notes: Array<string>, usage: UsageView | null,
/**
 * The provider's own id of it.
 */
provider_request_id: string | null, };
export type Budget = { name: string,
/**
 * `hour`, `day`, `week` or `month`.
 */
per: string, amount_picousd: number, spent_picousd: number,
/**
 * Of requests under way.
 */
reserved_picousd: number, resets_at: number,
/**
 * Spent and reserved, of the amount; above 1 where it was overshot.
 */
share: number,
/**
 * Requests of this period whose cost is not known.
 */
unknown: number, };
export type BudgetRuleView = { name: string, amount_picousd: number,
/**
 * `hour`, `day`, `week` or `month`.
 */
per: string,
/**
 * `warn`, `block` or `downgrade`.
 */
then: string,
/**
 * Where it is `downgrade`.
 */
then_route: string | null, };
export type ChatTreeView = { chat: ChatView,
/**
 * All versions, oldest first; `parent_id` makes the tree.
 */
messages: Array<MessageView>, };
export type ChatView = { id: string, title: string, created_at: number, updated_at: number, message_count: number, model: string | null, is_streaming: boolean, draft: string, };
export type ChatsChangedEvent = { chat_id: string, };
export type ClientView = { id: string, name: string,
/**
 * The key's last four characters.
 */
key_hint: string, created_at: number, last_seen_at: number | null, };
/**
 * What a request is like; everything that is said must hold.
 */
export type ConditionView = { models: Array<string>, clients: Array<string>, tags: Array<string>, tasks: Array<string>, min_input_tokens: number | null, max_input_tokens: number | null, tools: boolean | null, images: boolean | null, schema: boolean | null, code: boolean | null, };
export type ConfigChangedEvent = {
/**
 * The file as it stands is not in force, and why.
 */
error: string | null, };
/**
 * Programs match `kind`; `message` is for people: what happened, to what, what to do. Neither
 * ever holds a secret.
 */
export type ControlError = { kind: ControlErrorKind, message: string, };
/**
 * What went wrong, in a closed vocabulary for programs and a sentence for people.
 */
export type ControlErrorKind = "unknown_command" | "invalid_args" | "invalid" | "not_found" | "conflict" | "busy" | "keychain_absent" | "keychain_locked" | "keychain_error" | "settings" | "port" | "provider" | "ledger" | "ledger_corrupt" | "already_running" | "internal";
export type CostLineView = { label: string,
/**
 * Whose price it is, where not the answering model's.
 */
model: string | null, quantity: number, cost_picousd: number, };
export type CostStatus = "reported" | "computed" | "estimated" | "unknown";
export type CreateChatArgs = { model?: string | null, };
/**
 * Why a request went where it went. What the router did not say is left out.
 */
export type Decision = {
/**
 * Empty where a model was asked for by its own name.
 */
route: string, strategy: string, task: DecisionTask | null,
/**
 * The route's rule that matched, from 0.
 */
rule: number | null,
/**
 * In the order in which they would be asked; those out of the question last.
 */
candidates: Array<DecisionCandidate>,
/**
 * What happened, in its order.
 */
steps: Array<DecisionStep>,
/**
 * Budgets that are nearly used up.
 */
budgets: Array<string>, };
export type DecisionCandidate = { provider: string, model: string,
/**
 * From 1; `None` where it was out of the question.
 */
rank: number | null,
/**
 * What spoke against it (`circuit_open`, `limited`, `too_long`).
 */
why: string | null,
/**
 * By the strategy; less is better.
 */
score: number | null,
/**
 * Pico-dollars, as text.
 */
estimated_cost: string | null, ttft_p95_ms: number | null,
/**
 * Of the scarcest limit, 0 to 1.
 */
quota_left: number | null,
/**
 * The conversation's own target.
 */
sticky: boolean, };
export type DecisionStep = {
/**
 * Since the request came.
 */
at_ms: number,
/**
 * `asked`, `passed_over`, `waited`, `failed`, `lost`, `answered`, `seam`, `gave_up`.
 */
what: string, provider: string | null, model: string | null,
/**
 * Why it was asked (`first`, `retry`, `failover`, `hedge`, `check`, `probe`, `continue`).
 */
why: string | null,
/**
 * Why it was passed over.
 */
against: string | null,
/**
 * Why it failed.
 */
cause: string | null, wait_ms: number | null,
/**
 * Where in the answer, in characters, another model went on.
 */
at_chars: number | null, };
export type DecisionTask = {
/**
 * `simple`, `standard`, `complex`.
 */
class: string, why: string, };
export type DrainArgs = { provider: string, model: string, is_drained: boolean, };
/**
 * No arguments.
 */
export type Empty = Record<string, never>;
/**
 * An error that is part of a result.
 */
export type ErrorView = { kind: string, message: string, };
export type GroupBy = "provider" | "model";
export type HealthArgs = {
/**
 * How far back.
 */
minutes: number, };
export type HealthRow = { provider: string, model: string, lamp: LampState,
/**
 * Attempts: answered, refused, failed, and those that run or were stopped.
 */
requests: number, answered: number,
/**
 * Failed through the request's or the settings' own fault; no error of the provider's.
 */
refused: number, errors: number,
/**
 * 0 to 1, of what was answered, refused or failed.
 */
error_rate: number, truncated: number,
/**
 * Tool calls and structured answers that were checked.
 */
checked: number,
/**
 * Of those, the ones that were wrong, mended ones included.
 */
check_failures: number, check_repairs: number,
/**
 * Answers that the model or a filter declined.
 */
refusals: number, ttft_ms: Quantiles | null, duration_ms: Quantiles | null, tokens_per_second: number | null, last_error: LastError | null, last_seen_at: number | null,
/**
 * Requests per bucket, oldest first.
 */
sparkline: Array<number>, error_sparkline: Array<number>, };
/**
 * When a second target is asked beside a slow first one. One of the three.
 */
export type HedgeView = {
/**
 * When it is slower than 95 of 100.
 */
is_p95: boolean, after_ms: number | null,
/**
 * Of the time for the first content, 0 to 1.
 */
share: number | null, };
export type IdArgs = { id: string, };
export type KeySource = "keychain" | "env" | "none";
export type KeyState = "present" | "missing" | "locked" | "absent" | "error" | "not_needed";
export type KeychainState = "available" | "locked" | "absent" | "error";
export type KeychainStatus = { state: KeychainState,
/**
 * For people; `None` while all is well.
 */
message: string | null, };
export type LampState = "ok" | "degraded" | "open" | "half_open" | "parked" | "unknown";
export type LastError = { kind: string, message: string, at: number, };
export type LedgerView = {
/**
 * `ok`, `retrying` or `losing`.
 */
state: string,
/**
 * Records that could not be kept since the start.
 */
dropped: number, message: string | null, };
export type Limit = {
/**
 * `requests`, `tokens`, `input_tokens`, `output_tokens` or `concurrency`.
 */
counted: string,
/**
 * `None` for what is counted at one moment, and where the provider does not say.
 */
window_ms: number | null,
/**
 * `None` where the provider does not say.
 */
most: number | null, left: number,
/**
 * Until it is whole again if nothing more is asked.
 */
resets_in_ms: number | null,
/**
 * From the settings, and not from the provider's answers.
 */
is_set: boolean, };
export type ListChatsArgs = {
/**
 * Words to look for in titles and messages.
 */
query?: string | null, };
export type ListRequestsArgs = { filter: RequestFilter,
/**
 * Only those behind this one; the newest where it is left out.
 */
before?: RequestKey | null,
/**
 * At most so many, from 1 to 1,000.
 */
limit: number, };
export type MessageRole = "user" | "assistant" | "system";
export type MessageState = "complete" | "streaming" | "stopped" | "failed" | "interrupted" | "truncated";
export type MessageView = { id: string, chat_id: string, parent_id: string | null, role: MessageRole, text: string, reasoning: string, tool_calls: Array<ToolCallView>, model: string | null, state: MessageState, error: ErrorView | null, created_at: number, request_id: string | null, receipt: Receipt | null, };
export type ModelView = {
/**
 * What a request names: `provider/model`, or a route's name.
 */
id: string, provider: string | null, model: string, name: string, is_route: boolean,
/**
 * Tokens.
 */
context_window: number | null,
/**
 * Tokens.
 */
max_output_tokens: number | null,
/**
 * US dollars per million tokens, as a decimal.
 */
input_usd_per_mtok: string | null,
/**
 * US dollars per million tokens, as a decimal.
 */
output_usd_per_mtok: string | null, };
/**
 * A client just made; its key is shown this once.
 */
export type NewClient = { id: string, name: string, key: string, };
export type ParkArgs = { provider: string, model: string,
/**
 * How long it is left alone, from 1 to 10,080; left out, it is let in at once.
 */
minutes?: number | null, };
/**
 * A target, or a provider's key and account.
 */
export type Place = { provider: string, model: string,
/**
 * `closed`, `open`, `half_open` or `ramp`.
 */
circuit: string,
/**
 * The share of its traffic that it gets while it comes back, 0 to 1.
 */
share: number | null,
/**
 * What keeps requests away at this moment (`circuit_open`, `cooling`, `parked`, `limited`).
 */
against: string | null,
/**
 * For how long, where that is known.
 */
opens_in_ms: number | null, in_flight: number,
/**
 * Taken out by hand.
 */
is_drained: boolean, limits: Array<Limit>, };
export type PortChangedEvent = { listening: string | null, };
export type PortStatus = {
/**
 * `127.0.0.1:8790`; `None` while the port is closed.
 */
listening: string | null,
/**
 * Why it is closed.
 */
error: string | null,
/**
 * What the settings ask for.
 */
requested: string,
/**
 * An address that was free a moment ago, where the requested one is taken.
 */
suggestion: string | null, };
/**
 * What a target said to one small request.
 */
export type ProbeView = { ok: boolean, request_id: string, duration_ms: number, error: ErrorView | null, };
export type ProviderKind = { kind: string, name: string, protocol: string,
/**
 * Empty where it differs per user, who must then give it.
 */
base_url: string,
/**
 * What a base URL looks like, where the user must give it.
 */
base_url_example: string | null,
/**
 * The environment variable that the vendor's own tools read.
 */
key_env: string | null, needs_key: boolean,
/**
 * Where a key is made.
 */
keys_url: string | null, docs: string,
/**
 * What differs per user, in place of a whole address; `base_url` has them as `{name}`.
 */
variables: Array<ProviderVariable>, };
export type ProviderTest = { ok: boolean, latency_ms: number | null,
/**
 * How many models it lists.
 */
models: number | null, error: ErrorView | null, };
export type ProviderVariable = { name: string, label: string,
/**
 * What holds where nothing is said.
 */
default: string | null, example: string | null,
/**
 * Nothing works without it, unless the address is the user's own.
 */
is_required: boolean, };
export type ProviderView = { id: string, kind: string, name: string, protocol: string, base_url: string, key_source: KeySource,
/**
 * The environment variable, where the key comes from one.
 */
key_env: string | null, key_state: KeyState,
/**
 * For people: what is wrong with the key and what to do.
 */
key_message: string | null, is_rehearsal: boolean,
/**
 * Found on this machine; in no settings.
 */
is_discovered: boolean,
/**
 * Where the settings have an address of their own.
 */
own_base_url: string | null,
/**
 * What the settings say of the kind's variables.
 */
variables: { [key in string]: string },
/**
 * Models known so far; `None` before the provider was asked.
 */
model_count: number | null, };
export type Quantiles = { p50: number, p95: number, p99: number, };
/**
 * What an answer took and cost.
 */
export type Receipt = { request_id: string, route: string | null, provider: string | null, model: string | null, attempts: number, time_to_first_token_ms: number | null, duration_ms: number | null,
/**
 * Output tokens over the time from the first token to the end.
 */
tokens_per_second: number | null, usage: UsageView | null, cost_picousd: number | null, cost_status: CostStatus, finish_reason: string | null, };
export type RegenerateArgs = {
/**
 * An answer, or the question that is to be answered again.
 */
message_id: string, model?: string | null, };
export type RenameChatArgs = { id: string, title: string, };
export type RequestEvent = { id: string, };
export type RequestField = "provider" | "tried" | "model" | "client" | "route" | "outcome" | "error" | "operation" | "text";
/**
 * What a request is looked for by. All of it must hold; what is left out holds for all.
 */
export type RequestFilter = { terms?: Array<RequestTerm> | null,
/**
 * Started at this time or later.
 */
since_at?: number | null,
/**
 * Started before this time.
 */
until_at?: number | null,
/**
 * Known to have cost more.
 */
cost_over_picousd?: number | null,
/**
 * Asked of more than one target in turn.
 */
is_switched?: boolean | null,
/**
 * Only these, where there are any.
 */
ids?: Array<string> | null, };
/**
 * A request's place in the order of all.
 */
export type RequestKey = { started_at: number, id: string, };
/**
 * A request as a list shows it.
 */
export type RequestLine = { id: string, started_at: number,
/**
 * `running`, `ok`, `failed`, `truncated`, `cancelled`, `interrupted`.
 */
status: string,
/**
 * `None` is the chat window, or nobody known.
 */
client: string | null, dialect: string, operation: string | null, route: string | null, request_model: string, stream: boolean,
/**
 * Who answered; while it runs, who is being asked.
 */
provider: string | null, model: string | null, attempts: number,
/**
 * Of the attempts, those at another target than the one before.
 */
switches: number, http_status: number | null, error_kind: string | null, time_to_first_token_ms: number | null, duration_ms: number | null, input_tokens: number | null, output_tokens: number | null, cost_picousd: number | null, cost_status: CostStatus, };
export type RequestPage = {
/**
 * The newest first.
 */
rows: Array<RequestLine>,
/**
 * There are older ones.
 */
has_more: boolean, };
/**
 * One word of a search; `*` stands for anything.
 */
export type RequestTerm = { field: RequestField, value: string,
/**
 * Whatever does not match.
 */
is_not: boolean, };
/**
 * Over everything that a filter lets through.
 */
export type RequestTotals = { requests: number, cost_picousd: number,
/**
 * Ended with a cost that is not known, and is not in the sum.
 */
unknown: number, };
export type RequestView = { id: string, started_at: number,
/**
 * `None` is the chat window.
 */
client: string | null, dialect: string,
/**
 * `chat`, `embeddings`; `None` where it is not known.
 */
operation: string | null,
/**
 * The chat that it belongs to, and the answer's message in it.
 */
chat_id: string | null, message_id: string | null, route: string | null, provider: string | null,
/**
 * As the provider was asked for it.
 */
model: string | null, request_model: string, response_model: string | null, stream: boolean, status: string, http_status: number | null, error_kind: string | null, error_message: string | null, finish_reason: string | null, finish_reason_raw: string | null, usage: UsageView | null, cost_picousd: number | null, cost_status: CostStatus, cost_lines: Array<CostLineView>,
/**
 * For people: why the cost is less certain, or unknown.
 */
cost_notes: Array<string>, duration_ms: number | null, time_to_first_token_ms: number | null,
/**
 * Of the prices that were used.
 */
price_version: string | null, attempts: Array<AttemptView>,
/**
 * Why it went where it went; `None` where nothing was decided, or not yet.
 */
decision: Decision | null,
/**
 * Checks of the answer that failed.
 */
tool_failures: Array<ToolFailure>, };
export type RouteRuleView = { when: ConditionView,
/**
 * Positions in the route's targets, from 0; the others stand behind them.
 */
targets: Array<number>,
/**
 * Instead of `targets`: those of this tier.
 */
tier: string | null, };
export type RouteTargetView = { provider: string, model: string, weight: number,
/**
 * `cheap`, `standard` or `complex`.
 */
tier: string | null,
/**
 * Where there are any: asked only after one of these causes.
 */
only_after: Array<string>,
/**
 * Asked only for such requests.
 */
when: ConditionView | null, };
/**
 * A name of the user's own for targets, with everything that decides between them.
 */
export type RouteView = { name: string, strategy: string,
/**
 * In the file's order; those of routes inside it stand in their place.
 */
targets: Array<RouteTargetView>,
/**
 * The first that matches counts.
 */
rules: Array<RouteRuleView>,
/**
 * The kind of task chooses the tier.
 */
tiers: boolean,
/**
 * How long a conversation keeps its target without a request; `None` where it does not.
 */
sticky_ms: number | null, hedge: HedgeView | null,
/**
 * So many characters are held back, so that a failure within them stays unseen.
 */
hold_chars: number, hold_ms: number | null,
/**
 * `end`, `restart` or `continue`.
 */
on_break: string,
/**
 * For the whole request; `None` where `timeouts.total` holds.
 */
total_ms: number | null,
/**
 * For the first content; `None` where `timeouts.first_content` holds.
 */
first_content_ms: number | null,
/**
 * `observe`, `repair`, `retry` or `reject`; `None` where `[checks]` holds.
 */
tool_check: string | null,
/**
 * Likewise.
 */
output_check: string | null,
/**
 * Budgets that its requests count for.
 */
budgets: Array<BudgetRuleView>, };
/**
 * Everything at one moment.
 */
export type RoutingView = {
/**
 * When it was so; what is said in spans counts from here.
 */
at: number, targets: Array<Place>,
/**
 * Keys and accounts as a whole; `model` is empty.
 */
providers: Array<Place>, budgets: Array<Budget>,
/**
 * Rate-limit headers that made no sense and were passed over.
 */
ignored_headers: number, };
export type SaveProviderArgs = { id: string, kind: string, base_url?: string | null, protocol?: string | null,
/**
 * `keychain`, `env:NAME` or `none`.
 */
key: string,
/**
 * By the names of the kind's variables; empty ones count as left out.
 */
variables?: { [key in string]: string },
/**
 * Goes to the keychain and nowhere else; left out, the stored one stays.
 */
secret?: string | null, };
/**
 * Changes to a route. What is left out stays; an empty text takes the key away.
 */
export type SaveRouteArgs = { name: string, strategy?: string | null,
/**
 * All of them, in their order. What the file says of each beside its name stays.
 */
targets?: Array<TargetView> | null, on_break?: string | null,
/**
 * `10m`
 */
sticky?: string | null,
/**
 * `p95`, `2s` or `25%`
 */
hedge?: string | null,
/**
 * `60s`
 */
total?: string | null,
/**
 * `8s`
 */
first_content?: string | null, tool_check?: string | null, output_check?: string | null, };
export type SendArgs = { chat_id: string,
/**
 * The answer that this replies to; `None` begins the chat, or a second version of its beginning.
 */
parent_id: string | null, text: string, model: string, };
export type SendResult = { user_message_id: string,
/**
 * The answer's.
 */
message_id: string, request_id: string, };
export type SetDraftArgs = { id: string, text: string, };
export type SetKeyArgs = { id: string, secret: string, };
export type SetListenArgs = {
/**
 * `127.0.0.1:8790`
 */
listen: string, };
export type SetTextArgs = { text: string, };
/**
 * Why a settings text was not taken; the file is as it was.
 */
export type SettingsError = { message: string,
/**
 * From 1.
 */
line: number | null, key: string | null,
/**
 * The known key that looks most like it.
 */
nearest: string | null, };
export type SettingsView = { path: string, text: string, listen: string, };
export type SpendArgs = {
/**
 * How many days, today included.
 */
days: number, group_by: GroupBy,
/**
 * The window's offset from UTC, east positive: where days begin.
 */
utc_offset_minutes: number, };
export type SpendDay = {
/**
 * `2026-11-20`, in the window's time zone.
 */
date: string, groups: Array<SpendGroup>, };
export type SpendGroup = { key: string, cost_picousd: number, requests: number, input_tokens: number, output_tokens: number, unknown: number, };
export type SpendSummary = { today_picousd: number, month_picousd: number,
/**
 * Requests whose cost is unknown and not in the sum.
 */
today_unknown: number, month_unknown: number, today_requests: number, month_requests: number, days: Array<SpendDay>, totals: Array<SpendTotal>, };
export type SpendTotal = { key: string, cost_picousd: number, requests: number, input_tokens: number, cache_read_tokens: number, output_tokens: number, unknown: number, };
export type StatusArgs = {
/**
 * The window's offset from UTC, east positive: where `today` begins.
 */
utc_offset_minutes?: number, };
export type StopArgs = { message_id: string, };
/**
 * A request that went on at another target.
 */
export type Switch = { request_id: string,
/**
 * When the second target was asked.
 */
at: number, from_provider: string, from_model: string, to_provider: string, to_model: string,
/**
 * `failover`, `hedge`, `continue`, `check`.
 */
reason: string | null,
/**
 * The first target's error.
 */
error_kind: string | null, error_message: string | null, http_status: number | null,
/**
 * From asking the first to asking the second.
 */
after_ms: number,
/**
 * The request was answered, or is being answered still.
 */
is_saved: boolean, };
export type SwitchesArgs = {
/**
 * How far back.
 */
minutes: number,
/**
 * At most so many, from 1 to 1,000.
 */
limit: number, };
export type TargetView = { provider: string, model: string, };
/**
 * Since midnight UTC or, where the window said its offset, since its own midnight.
 */
export type TodaySpend = { cost_picousd: number,
/**
 * Requests whose cost is not known, and is not part of the sum.
 */
unknown_count: number, requests: number, };
export type ToolCallView = { id: string, name: string,
/**
 * As the model wrote them.
 */
arguments: string, };
/**
 * A tool call, or a structured answer, that was wrong.
 */
export type ToolFailure = { request_id: string,
/**
 * 0 for the request's first attempt.
 */
ordinal: number, at: number, provider: string, model: string,
/**
 * None where the answer's text was checked.
 */
tool: string | null,
/**
 * unknown_tool, invalid_json, schema_mismatch, cut_off.
 */
kind: string,
/**
 * JSON pointer into the arguments.
 */
path: string | null, message: string,
/**
 * none, repaired, withheld.
 */
remedy: string,
/**
 * The repairs by their names, joined by commas.
 */
repairs: string | null,
/**
 * As the model wrote them, the first KiB.
 */
arguments: string, schema: string | null, };
export type ToolFailureCount = { provider: string, model: string, kind: string, failures: number, repaired: number, };
export type ToolFailuresArgs = {
/**
 * How far back.
 */
minutes: number,
/**
 * Only this provider's.
 */
provider: string | null,
/**
 * Only this model's.
 */
model: string | null,
/**
 * At most so many, from 1 to 500.
 */
limit: number, };
/**
 * Tokens. `input` includes the cache's, `output` includes reasoning.
 */
export type UsageView = { input: number, cache_read: number, cache_write: number, output: number, reasoning: number, };
/**
 * One piece of news about an answer that is being written. A `snapshot` replaces everything seen
 * before, a `delta` is appended, an `end` carries the message as it was saved and is the last.
 */
export type WatchItem = {
/**
 * What to ask for next: `since` this number, nothing up to here is sent again.
 */
seq: number, kind: WatchKind, text?: string | null, reasoning?: string | null,
/**
 * Whole calls as they stand, not pieces of them.
 */
tool_calls?: Array<ToolCallView> | null, message?: MessageView | null, };
export type WatchKind = "snapshot" | "delta" | "end";

/** Every command: what it takes and what it gives. */
export interface Commands {
  "app.status": { args: StatusArgs; result: AppStatus };
  "providers.kinds": { args: Empty; result: Array<ProviderKind> };
  "providers.list": { args: Empty; result: Array<ProviderView> };
  "providers.look": { args: Empty; result: Array<ProviderView> };
  "providers.save": { args: SaveProviderArgs; result: null };
  "providers.remove": { args: IdArgs; result: null };
  "providers.set_key": { args: SetKeyArgs; result: null };
  "providers.test": { args: IdArgs; result: ProviderTest };
  "providers.models": { args: IdArgs; result: Array<ModelView> };
  "models.list": { args: Empty; result: Array<ModelView> };
  "clients.list": { args: Empty; result: Array<ClientView> };
  "clients.add": { args: AddClientArgs; result: NewClient };
  "clients.remove": { args: IdArgs; result: null };
  "settings.get": { args: Empty; result: SettingsView };
  "settings.set_text": { args: SetTextArgs; result: SettingsError | null };
  "settings.set_listen": { args: SetListenArgs; result: null };
  "routes.list": { args: Empty; result: Array<RouteView> };
  "routes.save": { args: SaveRouteArgs; result: null };
  "routes.remove": { args: IdArgs; result: null };
  "routing.view": { args: Empty; result: RoutingView };
  "routing.probe": { args: TargetView; result: ProbeView };
  "routing.park": { args: ParkArgs; result: null };
  "routing.drain": { args: DrainArgs; result: null };
  "chats.list": { args: ListChatsArgs; result: Array<ChatView> };
  "chats.create": { args: CreateChatArgs; result: ChatView };
  "chats.get": { args: IdArgs; result: ChatTreeView };
  "chats.rename": { args: RenameChatArgs; result: null };
  "chats.delete": { args: IdArgs; result: null };
  "chats.set_draft": { args: SetDraftArgs; result: null };
  "chat.send": { args: SendArgs; result: SendResult };
  "chat.regenerate": { args: RegenerateArgs; result: SendResult };
  "chat.stop": { args: StopArgs; result: null };
  "requests.list": { args: ListRequestsArgs; result: RequestPage };
  "requests.totals": { args: RequestFilter; result: RequestTotals };
  "requests.switches": { args: SwitchesArgs; result: Array<Switch> };
  "requests.get": { args: IdArgs; result: RequestView };
  "health.list": { args: HealthArgs; result: Array<HealthRow> };
  "tools.failures": { args: ToolFailuresArgs; result: Array<ToolFailure> };
  "tools.counts": { args: HealthArgs; result: Array<ToolFailureCount> };
  "spend.summary": { args: SpendArgs; result: SpendSummary };
}

/** Every event and its payload. */
export interface Events {
  "request.started": RequestEvent;
  "attempt.failed": AttemptFailedEvent;
  "request.settled": RequestEvent;
  "config.changed": ConfigChangedEvent;
  "port.changed": PortChangedEvent;
  "chats.changed": ChatsChangedEvent;
}
