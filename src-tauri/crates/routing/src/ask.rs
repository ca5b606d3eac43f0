//! What the router is told of a request, and of the targets it may go to.

use std::sync::Arc;
use std::time::Duration;

use canonical::{MicroUsdPerMTok, PicoUsd};

use crate::Route;
use crate::classify::Traits;
use crate::limit::Need;

/// A request whose input is counted as a little too long may fit after all: counts are estimates.
/// Past this many quarters of the window it does not.
const WINDOW_QUARTERS: u64 = 5;

/// What is known of a target's model. What is not known holds nothing against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    pub context_window: Option<u64>,
    pub max_output: Option<u64>,
    pub tools: Option<bool>,
    pub images: Option<bool>,
    /// Takes a JSON Schema for its answer.
    pub schema: Option<bool>,
    pub input_price: Option<MicroUsdPerMTok>,
    pub output_price: Option<MicroUsdPerMTok>,
    /// It costs nothing, whatever is asked.
    pub is_free: bool,
}

impl Facts {
    /// What a request may cost; `None` where the price is unknown.
    pub fn cost(&self, need: &Need) -> Option<PicoUsd> {
        if self.is_free {
            return Some(PicoUsd::ZERO);
        }
        let part = |tokens: u64, rate: MicroUsdPerMTok| i128::from(tokens) * i128::from(rate.0);
        let thousandths =
            part(need.input_tokens, self.input_price?) + part(need.output_tokens, self.output_price?);
        // Rounded up: it is held back, not charged.
        Some(PicoUsd(i64::try_from((thousandths + 999) / 1000).unwrap_or(i64::MAX)))
    }

    /// Whether so long an input is past all doubt.
    pub fn is_too_short_for(&self, input_tokens: u64) -> bool {
        self.context_window.is_some_and(|window| {
            u128::from(input_tokens) * 4 > u128::from(window) * u128::from(WINDOW_QUARTERS)
        })
    }
}

/// One request, as far as its way depends on it.
#[derive(Debug, Clone)]
pub struct Ask {
    pub route: Arc<Route>,
    /// In the order of the route's targets, one each.
    pub facts: Arc<[Facts]>,
    /// `None` is the chat window.
    pub client: Option<String>,
    /// As the client named it.
    pub model: String,
    pub tags: Vec<String>,
    pub traits: Traits,
    /// How long its answer probably is, in tokens: what limits and budgets hold back for it.
    pub output_tokens: u64,
    /// Which conversation it goes on with.
    pub conversation: Option<u64>,
    /// It may have effects beyond its answer (tools that the provider runs): it is never asked twice
    /// at once, nor again once it may have been heard.
    pub acts: bool,
    /// After how long without content the engine gives an attempt up; shares of it are hedged after.
    pub first_content: Duration,
    /// On the clock of `Now::mono`.
    pub deadline: Duration,
}

impl Ask {
    /// What one attempt takes of a limit.
    pub fn need(&self) -> Need {
        Need { input_tokens: self.traits.input_tokens, output_tokens: self.output_tokens }
    }
}
