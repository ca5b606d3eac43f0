//! What several families' reports say alike of charges beside tokens.

use std::collections::BTreeMap;

use canonical::PicoUsd;
use canonical::usage::ToolCalls;
use serde_json::Value;

/// A relay's report of what an answer cost, where the relay may have used its caller's own key at
/// the provider behind it: then `cost` is the relay's fee alone, and `cost_details` says the other
/// bill (<https://openrouter.ai/docs/use-cases/byok>). The key's owner pays both; where the other
/// bill is not said, the fee is not what the answer cost, and nothing is known.
pub(crate) fn with_own_key(
    cost: Option<PicoUsd>,
    is_byok: Option<&Value>,
    details: Option<&Value>,
) -> Option<PicoUsd> {
    if is_byok != Some(&Value::Bool(true)) {
        return cost;
    }
    let upstream = details?.get("upstream_inference_cost")?;
    let upstream = PicoUsd::from_decimal_usd(&upstream.as_number()?.to_string())?;
    let fee = cost.unwrap_or(PicoUsd::ZERO);
    fee.0.checked_add(upstream.0).map(PicoUsd)
}

/// Calls of the provider's tools, by name; `None` without any.
pub(crate) fn tool_calls<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Option<Box<[ToolCalls]>> {
    let ran = counts.into_iter().filter(|(_, count)| *count > 0);
    let calls: Box<[ToolCalls]> =
        ran.map(|(tool, count)| ToolCalls { tool: tool.to_owned(), count }).collect();
    (!calls.is_empty()).then_some(calls)
}

/// What xAI's `server_side_tool_usage_details` counts: searches of the web, and the rest by name.
/// Calls of remote MCP tools cost their tokens alone (<https://docs.x.ai/developers/pricing>).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerSideTools {
    pub web_searches: u64,
    pub others: BTreeMap<String, u64>,
}

impl ServerSideTools {
    /// `None` where the field is no object: nothing was counted, which is not the same as nothing.
    pub(crate) fn read(details: Option<&Value>) -> Option<Self> {
        let mut tools = Self::default();
        for (name, count) in details?.as_object()? {
            match (name.strip_suffix("_calls"), count.as_u64()) {
                (Some("web_search"), Some(count)) => tools.web_searches = count,
                (Some("mcp") | None, _) | (_, None | Some(0)) => {}
                (Some(tool), Some(count)) => {
                    tools.others.insert(tool.to_owned(), count);
                }
            }
        }
        Some(tools)
    }

    pub(crate) fn calls(&self) -> Option<Box<[ToolCalls]>> {
        tool_calls(self.others.iter().map(|(tool, count)| (tool.as_str(), *count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn with_the_callers_own_key_both_bills_are_the_cost() {
        let fee = Some(PicoUsd(1_000_000));
        let (yes, no) = (json!(true), json!(false));
        let details = json!({"upstream_inference_cost": 2.265e-4});
        assert_eq!(with_own_key(fee, Some(&no), Some(&details)), fee);
        assert_eq!(with_own_key(fee, None, None), fee);
        assert_eq!(with_own_key(fee, Some(&yes), Some(&details)), Some(PicoUsd(227_500_000)));
        assert_eq!(with_own_key(None, Some(&yes), Some(&details)), Some(PicoUsd(226_500_000)));
        for unsaid in [None, Some(&json!({})), Some(&json!({"upstream_inference_cost": null}))] {
            assert_eq!(with_own_key(fee, Some(&yes), unsaid), None, "{unsaid:?}");
        }
    }

    #[test]
    fn counted_tools_are_told_apart_and_what_is_free_is_left_out() {
        let details = json!({"web_search_calls": 2, "x_search_calls": 3, "code_interpreter_calls": 0,
            "mcp_calls": 4, "x_posts_fetched": 7, "file_search_calls": "odd"});
        let tools = ServerSideTools::read(Some(&details)).unwrap();
        assert_eq!(tools.web_searches, 2);
        let calls = tools.calls().unwrap();
        assert_eq!(calls.as_ref(), [ToolCalls { tool: "x_search".to_owned(), count: 3 }]);
        assert_eq!(ServerSideTools::read(Some(&json!({}))).unwrap().calls(), None);
        assert_eq!(ServerSideTools::read(Some(&json!(null))), None);
        assert_eq!(ServerSideTools::read(None), None);
    }
}
