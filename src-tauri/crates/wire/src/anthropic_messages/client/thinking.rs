//! What a request asks of thinking → `thinking`, `output_config.effort` and the rules that hang on
//! them. <https://docs.claude.com/en/docs/build-with-claude/extended-thinking>

use canonical::ToolChoice;
use canonical::request::{ReasoningEffort, ReasoningRequest};

use super::super::models;
use super::super::types::ThinkingConfig;

/// The smallest budget that the API takes.
const MIN_BUDGET: u64 = 1024;

/// How to think, and the output limit that goes with it.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    pub thinking: Option<ThinkingConfig>,
    pub effort: Option<String>,
    pub max_tokens: u64,
}

/// What bears on whether and how much the model may think.
#[derive(Debug)]
pub(crate) struct Circumstances<'a> {
    pub model: &'a str,
    /// The limit without any thinking in mind.
    pub max_tokens: u64,
    /// The model's own limit, where known.
    pub most_tokens: Option<u64>,
    pub tool_choice: Option<&'a ToolChoice>,
    /// The conversation is amid a tool call whose thought did not come back with it.
    pub lacks_thought: bool,
}

pub(crate) fn plan(asked: Option<&ReasoningRequest>, here: &Circumstances<'_>) -> Plan {
    let mut plan = Plan { thinking: None, effort: None, max_tokens: here.max_tokens };
    let Some(asked) = asked else { return plan };
    if asked.is_enabled == Some(false) || asked.effort == Some(ReasoningEffort::None) {
        plan.thinking = Some(ThinkingConfig::Disabled);
        return plan;
    }
    let is_budget = asked.budget_tokens.is_some() && !models::refuses_budget(here.model);
    if models::thinks_adaptively(here.model) && !is_budget {
        plan.effort = asked.effort.as_ref().map(|effort| effort_word(effort).to_owned());
        plan.thinking = (!forces_a_tool(here)).then_some(ThinkingConfig::Adaptive);
        return plan;
    }
    // With a budget, a forced tool is refused, and so is a tool's result whose call has lost its
    // thought (OpenAI's chat has no field for it): such a turn is answered without thinking.
    if forces_a_tool(here) || here.lacks_thought {
        return plan;
    }
    if let Some(budget) = asked.budget_tokens {
        let budget = budget.max(MIN_BUDGET);
        if plan.max_tokens <= budget {
            // The client's limit is what it wants to read; the thinking comes on top.
            let raised = budget + plan.max_tokens;
            let most = here.most_tokens.filter(|most| *most > budget).unwrap_or(raised);
            plan.max_tokens = raised.min(most);
        }
        plan.thinking = Some(ThinkingConfig::Enabled { budget_tokens: budget });
    } else if let Some(budget) = effort_budget(asked, plan.max_tokens) {
        plan.thinking = Some(ThinkingConfig::Enabled { budget_tokens: budget });
    }
    plan
}

fn forces_a_tool(here: &Circumstances<'_>) -> bool {
    matches!(here.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)))
}

/// `output_config.effort` has no word below `low`; words of its own (`max`, `xhigh`) pass.
fn effort_word(effort: &ReasoningEffort) -> &str {
    match effort {
        ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
        ReasoningEffort::Other(word) => word,
    }
}

/// An effort as a budget, for models that know budgets only. It stays under four fifths of the
/// limit, which in OpenAI's terms covers thinking too; `None` where the limit leaves no room for
/// the smallest budget.
fn effort_budget(asked: &ReasoningRequest, max_tokens: u64) -> Option<u64> {
    let wanted = match asked.effort.as_ref().unwrap_or(&ReasoningEffort::Medium) {
        ReasoningEffort::None => return None,
        ReasoningEffort::Minimal => MIN_BUDGET,
        ReasoningEffort::Low => 2048,
        ReasoningEffort::Medium => 8192,
        ReasoningEffort::High => 16_384,
        ReasoningEffort::Other(_) => 32_000,
    };
    let budget = wanted.min(max_tokens / 5 * 4).max(MIN_BUDGET);
    (budget < max_tokens).then_some(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(effort: Option<ReasoningEffort>, budget_tokens: Option<u64>) -> ReasoningRequest {
        ReasoningRequest { effort, budget_tokens, is_enabled: None }
    }

    fn here(model: &str, max_tokens: u64) -> Circumstances<'_> {
        Circumstances {
            model,
            max_tokens,
            most_tokens: Some(64_000),
            tool_choice: None,
            lacks_thought: false,
        }
    }

    fn budget(plan: &Plan) -> Option<u64> {
        match plan.thinking {
            Some(ThinkingConfig::Enabled { budget_tokens }) => Some(budget_tokens),
            _ => None,
        }
    }

    #[test]
    fn an_effort_becomes_a_budget_below_the_limit() {
        let high = asked(Some(ReasoningEffort::High), None);
        for (max_tokens, expected) in
            [(64_000, Some(16_384)), (4000, Some(3200)), (1100, Some(1024)), (1024, None)]
        {
            let plan = plan(Some(&high), &here("claude-sonnet-4-5", max_tokens));
            assert_eq!((budget(&plan), plan.max_tokens), (expected, max_tokens));
        }
    }

    #[test]
    fn a_budget_is_kept_and_the_limit_raised_above_it() {
        let plan_of = |max_tokens| {
            plan(Some(&asked(None, Some(10_000))), &here("claude-sonnet-4-5", max_tokens)).max_tokens
        };
        assert_eq!((plan_of(20_000), plan_of(500), plan_of(10_000)), (20_000, 10_500, 20_000));
    }

    #[test]
    fn newer_models_think_adaptively() {
        let low = asked(Some(ReasoningEffort::Minimal), None);
        let plan_low = plan(Some(&low), &here("claude-opus-4-7", 1000));
        assert_eq!(
            (plan_low.thinking, plan_low.effort.as_deref()),
            (Some(ThinkingConfig::Adaptive), Some("low"))
        );
        let plan_budget = plan(Some(&asked(None, Some(2000))), &here("claude-opus-4-7", 8000));
        assert_eq!(plan_budget.thinking, Some(ThinkingConfig::Adaptive));
        let plan_both_work = plan(Some(&asked(None, Some(2000))), &here("claude-sonnet-4-6", 8000));
        assert_eq!(budget(&plan_both_work), Some(2000));
    }

    #[test]
    fn no_thinking_where_the_api_would_refuse_it() {
        let high = asked(Some(ReasoningEffort::High), None);
        let mut forced = here("claude-sonnet-4-5", 8000);
        forced.tool_choice = Some(&ToolChoice::Required);
        let mut amid = here("claude-sonnet-4-5", 8000);
        amid.lacks_thought = true;
        assert_eq!(plan(Some(&high), &forced).thinking, None);
        assert_eq!(plan(Some(&high), &amid).thinking, None);
        assert_eq!(
            plan(Some(&asked(Some(ReasoningEffort::None), None)), &amid).thinking,
            Some(ThinkingConfig::Disabled)
        );
    }
}
