//! Money is integers. Rates are exact, sums are exact, rounding happens once, at the end.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// Cost in pico-US-dollars (1 USD = 10¹² pUSD); `i64` holds 9.2 million dollars.
///
/// A price in micro-dollars per million tokens is the same number as pico-dollars per token, so
/// cost is one integer multiply and never a float.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PicoUsd(pub i64);

impl PicoUsd {
    pub const ZERO: Self = Self(0);
    pub const PER_USD: i64 = 1_000_000_000_000;

    /// Parses a non-negative decimal number of dollars exactly, as JSON or a price list writes it
    /// (`0.00123`, `1.2e-05`, `3`). Digits past the twelfth decimal are rounded half to even.
    /// `None` where the text is no such number or does not fit.
    pub fn from_decimal_usd(text: &str) -> Option<Self> {
        scaled_decimal(text, 12).and_then(|value| i64::try_from(value).ok()).map(Self)
    }

    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add for PicoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl AddAssign for PicoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for PicoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for PicoUsd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// A rate in thousandths of a micro-dollar per million tokens, which is the same number as
/// thousandths of a pico-dollar per token: the catalogue's finest figure (10⁻³ pUSD per token).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsdPerMTok(pub i64);

impl MicroUsdPerMTok {
    /// Parses the catalogue's decimal string, US dollars per million tokens, exactly.
    /// `None` where it is no number, is negative, or is finer than the unit.
    pub fn from_decimal_usd(text: &str) -> Option<Self> {
        let value = scaled_decimal(text, 9)?;
        (scaled_decimal(text, 18)? == value.checked_mul(1_000_000_000)?)
            .then(|| i64::try_from(value).ok().map(Self))
            .flatten()
    }

    /// Thousandths of a pico-dollar that `tokens` cost at this rate.
    pub fn milli_pico(self, tokens: u64) -> i128 {
        i128::from(self.0) * i128::from(tokens)
    }
}

/// Rounds a ratio half to even, as the price rules ask.
///
/// `denominator` must be positive.
pub fn div_round_half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator) * 2;
    match twice.cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

/// `text × 10^scale` as an integer, rounded half to even; non-negative decimals only.
pub fn scaled_decimal(text: &str, scale: i32) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut digits: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        digits = digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    let power = scale.checked_add(exponent)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let magnitude = 10_i128.checked_pow(power.unsigned_abs());
    if power >= 0 {
        return if digits == 0 { Some(0) } else { digits.checked_mul(magnitude?) };
    }
    // Past i128's range every digit lies below the last place that is kept.
    Some(magnitude.map_or(0, |magnitude| div_round_half_even(digits, magnitude)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        assert_eq!(PicoUsd::from_decimal_usd("0.00123"), Some(PicoUsd(1_230_000_000)));
        assert_eq!(PicoUsd::from_decimal_usd("1.2e-05"), Some(PicoUsd(12_000_000)));
        assert_eq!(PicoUsd::from_decimal_usd("3"), Some(PicoUsd(3 * PicoUsd::PER_USD)));
        assert_eq!(PicoUsd::from_decimal_usd("0"), Some(PicoUsd(0)));
        for bad in ["", ".", "-1", "abc", "1e", "1.2.3", "99999999999"] {
            assert_eq!(PicoUsd::from_decimal_usd(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rate_finer_than_its_unit_is_refused_rather_than_rounded() {
        assert_eq!(MicroUsdPerMTok::from_decimal_usd("3"), Some(MicroUsdPerMTok(3_000_000_000)));
        assert_eq!(MicroUsdPerMTok::from_decimal_usd("0.000000001"), Some(MicroUsdPerMTok(1)));
        assert_eq!(MicroUsdPerMTok::from_decimal_usd("0.0000000001"), None);
    }

    #[test]
    fn halves_round_to_even() {
        assert_eq!(div_round_half_even(5, 10), 0);
        assert_eq!(div_round_half_even(15, 10), 2);
        assert_eq!(div_round_half_even(25, 10), 2);
        assert_eq!(div_round_half_even(26, 10), 3);
        assert_eq!(div_round_half_even(-5, 10), 0);
        assert_eq!(div_round_half_even(-15, 10), -2);
    }
}
