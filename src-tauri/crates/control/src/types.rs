//! What crosses the control surface: arguments, results, events. `bindings.rs` writes the same
//! types for the window, so a field renamed here is a compile error there.
//!
//! Units are in the names: `*_at` is milliseconds since the Unix epoch (UTC), `*_ms` milliseconds,
//! `*_picousd` pico-dollars (10⁻¹² USD). `None` is unknown, never 0. No result ever carries a
//! provider's key; a client's key is in the answer to `clients.add` and nowhere else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod traffic;

pub use traffic::*;

/// No arguments.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[ts(type = "Record<string, never>")]
pub struct Empty {}

/// What went wrong, in a closed vocabulary for programs and a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ControlErrorKind {
    /// The command does not exist.
    UnknownCommand,
    /// The arguments have not the command's shape.
    InvalidArgs,
    /// The arguments are well-formed and cannot be followed.
    Invalid,
    /// What was named is not there.
    NotFound,
    /// The name is taken.
    Conflict,
    /// An answer is being written; stop it first.
    Busy,
    /// No keychain on this machine.
    KeychainAbsent,
    /// The keychain is there and closed.
    KeychainLocked,
    /// The keychain is there and failed.
    KeychainError,
    /// The settings file has a mistake or cannot be written.
    Settings,
    /// The address is taken or cannot be listened on.
    Port,
    /// The provider said no, or could not be reached.
    Provider,
    /// The database said no.
    Ledger,
    /// The database is damaged; only the user's word moves it aside.
    LedgerCorrupt,
    /// Another Signalbox runs with the same data folder.
    AlreadyRunning,
    /// A fault of our own.
    Internal,
}

/// An error that is part of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ErrorView {
    pub kind: String,
    pub message: String,
}

// === app ===

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct AppStatus {
    pub version: String,
    pub port: PortStatus,
    pub running_requests: u64,
    pub today: TodaySpend,
    pub worst_lamp: LampState,
    pub keychain: KeychainStatus,
    pub config_path: String,
    pub data_dir: String,
    /// The settings file as it stands is not in force, and why.
    pub config_error: Option<String>,
    pub ledger: LedgerView,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PortStatus {
    /// `127.0.0.1:8790`; `None` while the port is closed.
    pub listening: Option<String>,
    /// Why it is closed.
    pub error: Option<String>,
    /// What the settings ask for.
    pub requested: String,
    /// An address that was free a moment ago, where the requested one is taken.
    pub suggestion: Option<String>,
}

/// Since midnight UTC or, where the window said its offset, since its own midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TodaySpend {
    pub cost_picousd: i64,
    /// Requests whose cost is not known, and is not part of the sum.
    pub unknown_count: u64,
    pub requests: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KeychainStatus {
    pub state: KeychainState,
    /// For people; `None` while all is well.
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeychainState {
    Available,
    Locked,
    Absent,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LedgerView {
    /// `ok`, `retrying` or `losing`.
    pub state: String,
    /// Records that could not be kept since the start.
    pub dropped: u64,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct StatusArgs {
    /// The window's offset from UTC, east positive: where `today` begins.
    #[serde(default)]
    #[ts(optional)]
    pub utc_offset_minutes: Option<i32>,
}

// === providers and models ===

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderKind {
    pub kind: String,
    pub name: String,
    pub protocol: String,
    /// Empty where it differs per user, who must then give it.
    pub base_url: String,
    /// What a base URL looks like, where the user must give it.
    pub base_url_example: Option<String>,
    /// The environment variable that the vendor's own tools read.
    pub key_env: Option<String>,
    pub needs_key: bool,
    /// Where a key is made.
    pub keys_url: Option<String>,
    pub docs: String,
    /// What differs per user, in place of a whole address; `base_url` has them as `{name}`.
    pub variables: Vec<ProviderVariable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderVariable {
    pub name: String,
    pub label: String,
    /// What holds where nothing is said.
    pub default: Option<String>,
    pub example: Option<String>,
    /// Nothing works without it, unless the address is the user's own.
    pub is_required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderView {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub protocol: String,
    pub base_url: String,
    pub key_source: KeySource,
    /// The environment variable, where the key comes from one.
    pub key_env: Option<String>,
    pub key_state: KeyState,
    /// For people: what is wrong with the key and what to do.
    pub key_message: Option<String>,
    pub is_rehearsal: bool,
    /// Found on this machine; in no settings.
    pub is_discovered: bool,
    /// Where the settings have an address of their own.
    pub own_base_url: Option<String>,
    /// What the settings say of the kind's variables.
    pub variables: BTreeMap<String, String>,
    /// Models known so far; `None` before the provider was asked.
    pub model_count: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    Keychain,
    Env,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Present,
    /// The keychain or the environment is there and holds no such key.
    Missing,
    Locked,
    Absent,
    Error,
    NotNeeded,
}

#[derive(Clone, Deserialize, Serialize, TS)]
pub struct SaveProviderArgs {
    pub id: String,
    pub kind: String,
    #[serde(default)]
    #[ts(optional = nullable)]
    pub base_url: Option<String>,
    #[serde(default)]
    #[ts(optional = nullable)]
    pub protocol: Option<String>,
    /// `keychain`, `env:NAME` or `none`.
    pub key: String,
    /// By the names of the kind's variables; empty ones count as left out.
    #[serde(default)]
    #[ts(as = "Option<BTreeMap<String, String>>", optional)]
    pub variables: BTreeMap<String, String>,
    /// Goes to the keychain and nowhere else; left out, the stored one stays.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for SaveProviderArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaveProviderArgs")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .field("protocol", &self.protocol)
            .field("key", &self.key)
            .field("variables", &self.variables)
            .field("secret", &self.secret.as_ref().map(|_| "•••"))
            .finish()
    }
}

#[derive(Clone, Deserialize, Serialize, TS)]
pub struct SetKeyArgs {
    pub id: String,
    pub secret: String,
}

impl std::fmt::Debug for SetKeyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetKeyArgs").field("id", &self.id).field("secret", &"•••").finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IdArgs {
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderTest {
    pub ok: bool,
    pub latency_ms: Option<i64>,
    /// How many models it lists.
    pub models: Option<u64>,
    pub error: Option<ErrorView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ModelView {
    /// What a request names: `provider/model`, or a route's name.
    pub id: String,
    pub provider: Option<String>,
    pub model: String,
    pub name: String,
    pub is_route: bool,
    /// Tokens.
    pub context_window: Option<u64>,
    /// Tokens.
    pub max_output_tokens: Option<u64>,
    /// US dollars per million tokens, as a decimal.
    pub input_usd_per_mtok: Option<String>,
    /// US dollars per million tokens, as a decimal.
    pub output_usd_per_mtok: Option<String>,
}

// === clients, settings, routes ===

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ClientView {
    pub id: String,
    pub name: String,
    /// The key's last four characters.
    pub key_hint: String,
    pub created_at: i64,
    pub last_seen_at: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct AddClientArgs {
    pub name: String,
}

/// A client just made; its key is shown this once.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct NewClient {
    pub id: String,
    pub name: String,
    pub key: String,
}

impl std::fmt::Debug for NewClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewClient")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("key", &"•••")
            .finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SettingsView {
    pub path: String,
    pub text: String,
    pub listen: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SetTextArgs {
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SetListenArgs {
    /// `127.0.0.1:8790`
    pub listen: String,
}

/// Why a settings text was not taken; the file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SettingsError {
    pub message: String,
    /// From 1.
    pub line: Option<u32>,
    pub key: Option<String>,
    /// The known key that looks most like it.
    pub nearest: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RouteView {
    pub name: String,
    pub strategy: String,
    pub targets: Vec<TargetView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TargetView {
    pub provider: String,
    pub model: String,
}

// === chats ===

#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct ListChatsArgs {
    /// Words to look for in titles and messages.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub query: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChatView {
    pub id: String,
    pub title: String,
    pub created_at: i64,
    pub updated_at: i64,
    pub message_count: u64,
    pub model: Option<String>,
    pub is_streaming: bool,
    pub draft: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct CreateChatArgs {
    #[serde(default)]
    #[ts(optional = nullable)]
    pub model: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ChatTreeView {
    pub chat: ChatView,
    /// All versions, oldest first; `parent_id` makes the tree.
    pub messages: Vec<MessageView>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct RenameChatArgs {
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SetDraftArgs {
    pub id: String,
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SendArgs {
    pub chat_id: String,
    /// The answer that this replies to; `None` begins the chat, or a second version of its beginning.
    #[serde(default)]
    pub parent_id: Option<String>,
    pub text: String,
    pub model: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct RegenerateArgs {
    /// An answer, or the question that is to be answered again.
    pub message_id: String,
    #[serde(default)]
    #[ts(optional = nullable)]
    pub model: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct StopArgs {
    pub message_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SendResult {
    pub user_message_id: String,
    /// The answer's.
    pub message_id: String,
    pub request_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct MessageView {
    pub id: String,
    pub chat_id: String,
    pub parent_id: Option<String>,
    pub role: MessageRole,
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Vec<ToolCallView>,
    pub model: Option<String>,
    pub state: MessageState,
    pub error: Option<ErrorView>,
    pub created_at: i64,
    pub request_id: Option<String>,
    pub receipt: Option<Receipt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    User,
    Assistant,
    System,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    Complete,
    Streaming,
    /// By the user's word.
    Stopped,
    Failed,
    /// The program ended while it was written.
    Interrupted,
    /// The provider broke off without an end.
    Truncated,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ToolCallView {
    pub id: String,
    pub name: String,
    /// As the model wrote them.
    pub arguments: String,
}

/// What an answer took and cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Receipt {
    pub request_id: String,
    pub route: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub attempts: u32,
    pub time_to_first_token_ms: Option<i64>,
    pub duration_ms: Option<i64>,
    /// Output tokens over the time from the first token to the end.
    pub tokens_per_second: Option<f64>,
    pub usage: Option<UsageView>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub finish_reason: Option<String>,
}

/// Tokens. `input` includes the cache's, `output` includes reasoning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UsageView {
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    Reported,
    Computed,
    Estimated,
    Unknown,
}

// === requests, health, spend ===

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RequestView {
    pub id: String,
    pub started_at: i64,
    /// `None` is the chat window.
    pub client: Option<String>,
    pub dialect: String,
    /// `chat`, `embeddings`; `None` where it is not known.
    pub operation: Option<String>,
    /// The chat that it belongs to, and the answer's message in it.
    pub chat_id: Option<String>,
    pub message_id: Option<String>,
    pub route: Option<String>,
    pub provider: Option<String>,
    /// As the provider was asked for it.
    pub model: Option<String>,
    pub request_model: String,
    pub response_model: Option<String>,
    pub stream: bool,
    pub status: String,
    pub http_status: Option<u16>,
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub finish_reason: Option<String>,
    pub finish_reason_raw: Option<String>,
    pub usage: Option<UsageView>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub cost_lines: Vec<CostLineView>,
    /// For people: why the cost is less certain, or unknown.
    pub cost_notes: Vec<String>,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    /// Of the prices that were used.
    pub price_version: Option<String>,
    pub attempts: Vec<AttemptView>,
    /// Why it went where it went; `None` where nothing was decided, or not yet.
    pub decision: Option<DecisionView>,
    /// Checks of the answer that failed.
    pub tool_failures: Vec<ToolFailureView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CostLineView {
    pub label: String,
    /// Whose price it is, where not the answering model's.
    pub model: Option<String>,
    pub quantity: u64,
    pub cost_picousd: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct AttemptView {
    pub id: String,
    /// From 0.
    pub ordinal: u32,
    pub provider: String,
    pub model: String,
    pub outcome: String,
    pub error_kind: Option<String>,
    pub http_status: Option<u16>,
    /// Why it was made.
    pub reason: Option<String>,
    pub error_message: Option<String>,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub started_at: i64,
    /// `verbatim` or `translated`, where an answer began.
    pub lane: Option<String>,
    /// Pieces of its stream that were passed over: of no known kind.
    pub unknown_frames: u32,
    /// Likewise: not to be read.
    pub malformed_frames: u32,
    /// A refusal in the provider's own words.
    pub error_body: Option<String>,
    /// What of the request the provider was not told as the client said it (`dropped:seed`).
    pub notes: Vec<String>,
    pub usage: Option<UsageView>,
    /// The provider's own id of it.
    pub provider_request_id: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct HealthArgs {
    /// How far back.
    pub minutes: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct HealthRow {
    pub provider: String,
    pub model: String,
    pub lamp: LampState,
    /// Attempts: answered, refused, failed, and those that run or were stopped.
    pub requests: u64,
    pub answered: u64,
    /// Failed through the request's or the settings' own fault; no error of the provider's.
    pub refused: u64,
    pub errors: u64,
    /// 0 to 1, of what was answered, refused or failed.
    pub error_rate: f64,
    pub truncated: u64,
    /// Tool calls and structured answers that were checked.
    pub checked: u64,
    /// Of those, the ones that were wrong, mended ones included.
    pub check_failures: u64,
    pub check_repairs: u64,
    /// Answers that the model or a filter declined.
    pub refusals: u64,
    pub ttft_ms: Option<QuantilesView>,
    pub duration_ms: Option<QuantilesView>,
    pub tokens_per_second: Option<f64>,
    pub last_error: Option<LastErrorView>,
    pub last_seen_at: Option<i64>,
    /// Requests per bucket, oldest first.
    pub sparkline: Vec<u64>,
    pub error_sparkline: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LampState {
    Ok,
    Degraded,
    /// The circuit is open.
    Open,
    HalfOpen,
    /// Set aside until a time that the provider named.
    Parked,
    /// Nothing was asked of it lately.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "Quantiles")]
pub struct QuantilesView {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "LastError")]
pub struct LastErrorView {
    pub kind: String,
    pub message: String,
    pub at: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct ToolFailuresArgs {
    /// How far back.
    pub minutes: u32,
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only this model's.
    pub model: Option<String>,
    /// At most so many, from 1 to 500.
    pub limit: u32,
}

/// A tool call, or a structured answer, that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "ToolFailure")]
pub struct ToolFailureView {
    pub request_id: String,
    /// 0 for the request's first attempt.
    pub ordinal: u32,
    pub at: i64,
    pub provider: String,
    pub model: String,
    /// None where the answer's text was checked.
    pub tool: Option<String>,
    /// unknown_tool, invalid_json, schema_mismatch, cut_off.
    pub kind: String,
    /// JSON pointer into the arguments.
    pub path: Option<String>,
    pub message: String,
    /// none, repaired, withheld.
    pub remedy: String,
    /// The repairs by their names, joined by commas.
    pub repairs: Option<String>,
    /// As the model wrote them, the first KiB.
    pub arguments: String,
    pub schema: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "ToolFailureCount")]
pub struct ToolFailureCountView {
    pub provider: String,
    pub model: String,
    pub kind: String,
    pub failures: u32,
    pub repaired: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SpendArgs {
    /// How many days, today included.
    pub days: u32,
    pub group_by: GroupBy,
    /// The window's offset from UTC, east positive: where days begin.
    pub utc_offset_minutes: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Provider,
    Model,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendSummary")]
pub struct SpendSummaryView {
    pub today_picousd: i64,
    pub month_picousd: i64,
    /// Requests whose cost is unknown and not in the sum.
    pub today_unknown: u64,
    pub month_unknown: u64,
    pub today_requests: u64,
    pub month_requests: u64,
    pub days: Vec<SpendDayView>,
    pub totals: Vec<SpendTotalView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendDay")]
pub struct SpendDayView {
    /// `2026-11-20`, in the window's time zone.
    pub date: String,
    pub groups: Vec<SpendGroupView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendGroup")]
pub struct SpendGroupView {
    pub key: String,
    pub cost_picousd: i64,
    pub requests: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub unknown: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendTotal")]
pub struct SpendTotalView {
    pub key: String,
    pub cost_picousd: i64,
    pub requests: u64,
    pub input_tokens: u64,
    pub cache_read_tokens: u64,
    pub output_tokens: u64,
    pub unknown: u64,
}

// === watching an answer ===

/// One piece of news about an answer that is being written. A `snapshot` replaces everything seen
/// before, a `delta` is appended, an `end` carries the message as it was saved and is the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct WatchItem {
    /// What to ask for next: `since` this number, nothing up to here is sent again.
    pub seq: u64,
    pub kind: WatchKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub reasoning: Option<String>,
    /// Whole calls as they stand, not pieces of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub tool_calls: Option<Vec<ToolCallView>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub message: Option<MessageView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WatchKind {
    Snapshot,
    Delta,
    End,
}
