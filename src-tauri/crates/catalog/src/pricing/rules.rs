//! What the price rules say of single providers; everything else in this folder knows none.

/// Deviations of a provider's bill. All off by default.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProviderRules {
    /// The row's `web_search_*` prices the older preview tool; the current tool costs what
    /// `tools` says, for every model.
    pub(super) row_search_is_preview: bool,
    /// What a search brought into the prompt is not charged as input.
    pub(super) search_results_are_free: bool,
    /// Reasoning is charged on top of the output, also where it was counted within it.
    pub(super) reasoning_is_on_top: bool,
    /// A reported cost of 0 means nothing.
    pub(super) zero_reported_cost_means_nothing: bool,
    /// Tools as answers call them → as the provider's price list does.
    pub(super) tools: &'static [(&'static str, &'static str)],
}

impl ProviderRules {
    /// The tool by the name that its price is under.
    pub(super) fn tool<'a>(&self, name: &'a str) -> &'a str {
        self.tools.iter().find(|(said, _)| *said == name).map_or(name, |(_, listed)| listed)
    }
}

const NONE: ProviderRules = ProviderRules {
    row_search_is_preview: false,
    search_results_are_free: false,
    reasoning_is_on_top: false,
    zero_reported_cost_means_nothing: false,
    tools: &[],
};

/// <https://docs.x.ai/docs/guides/tools/overview> calls them as OpenAI does, and
/// <https://docs.x.ai/developers/pricing> by names of its own.
const XAI_TOOLS: &[(&str, &str)] = &[
    ("file_search", "collections_search"),
    ("code_interpreter", "code_execution"),
    ("document_search", "attachment_search"),
];

const BY_PROVIDER: [(&str, ProviderRules); 7] = [
    ("xai", ProviderRules { tools: XAI_TOOLS, ..NONE }),
    // https://developers.openai.com/api/docs/pricing lists both tools.
    ("openai", ProviderRules { row_search_is_preview: true, ..NONE }),
    // Grounding's `toolUsePromptTokenCount` is reported and not billed.
    ("google", ProviderRules { search_results_are_free: true, ..NONE }),
    ("vertex", ProviderRules { search_results_are_free: true, ..NONE }),
    // The recorded costs of google/gemini-2.5-flash and openai/gpt-5 are reached in no other way.
    ("vercel", ProviderRules { reasoning_is_on_top: true, ..NONE }),
    // Grok hosted by Azure reports `cost_in_usd_ticks: 0` whatever it charged.
    ("azure-foundry", ProviderRules { zero_reported_cost_means_nothing: true, ..NONE }),
    ("azure-openai", ProviderRules { zero_reported_cost_means_nothing: true, ..NONE }),
];

pub(super) fn of(provider: Option<&str>) -> ProviderRules {
    let found = BY_PROVIDER.iter().find(|(name, _)| Some(*name) == provider);
    found.map_or(NONE, |(_, rules)| *rules)
}

/// Azure serves Grok under hosts of its own, also to a kind that is not named after it.
pub(super) fn is_azure_host(host: Option<&str>) -> bool {
    host.is_some_and(|host| host.ends_with(".azure.com") || host.ends_with(".azure.us"))
}
