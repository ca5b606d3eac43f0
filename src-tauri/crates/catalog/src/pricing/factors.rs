//! Multipliers on all token rates, as exact fractions. They multiply with each other.

use canonical::PicoUsd;
use canonical::money::div_round_half_even;

use super::{MILLI, PriceQuery};
use crate::prices::{Factor, Multiplier, Row};

/// All factors that hold, multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    pub(super) numerator: i128,
    pub(super) denominator: i128,
}

impl Product {
    /// Thousandths of a pico-dollar with the factors applied, rounded for a line of its own.
    pub(super) fn apply(&self, milli_pico: i128) -> Option<PicoUsd> {
        let exact = milli_pico.checked_mul(self.numerator)?;
        let rounded = div_round_half_even(exact, self.denominator.checked_mul(MILLI)?);
        i64::try_from(rounded).ok().map(PicoUsd)
    }
}

/// `None` past what the arithmetic holds.
pub(super) fn product(row: &Row, query: &PriceQuery<'_>) -> Option<Product> {
    let mut product = Product { numerator: 1, denominator: 1 };
    for (name, multiplier) in &row.multipliers {
        if let Some(factor) = holding(name, multiplier, query) {
            product.numerator = product.numerator.checked_mul(factor.numerator)?;
            product.denominator = product.denominator.checked_mul(factor.denominator)?;
        }
    }
    Some(product)
}

fn holding<'r>(name: &str, multiplier: &'r Multiplier, query: &PriceQuery<'_>) -> Option<&'r Factor> {
    match multiplier {
        Multiplier::ByValue(factors) => factors.get(value_of(name, query)?),
        Multiplier::Always(factor) => {
            let holds = name == "regional_endpoint" && query.location.is_some_and(|at| at != "global");
            holds.then_some(factor)
        }
    }
}

fn value_of<'q>(name: &str, query: &PriceQuery<'q>) -> Option<&'q str> {
    match name {
        "inference_geo" => query.usage.inference_geo.as_deref(),
        "speed" => query.usage.speed.as_deref(),
        "data_residency" => query.host?.strip_suffix(".api.openai.com"),
        _ => None,
    }
}
