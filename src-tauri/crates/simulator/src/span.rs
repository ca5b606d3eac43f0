//! Time in the simulator: whole microseconds since its start, so that no sum is ever rounded.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

/// A moment or a length, in microseconds.
pub type Micros = u64;

pub const MS: Micros = 1_000;
pub const SECOND: Micros = 1_000 * MS;
pub const MINUTE: Micros = 60 * SECOND;

pub fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Reads `400ms`, `20s`, `5m`, `1h` and their fractions (`1.5s`).
pub fn parse(text: &str) -> Option<Micros> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let unit = match unit {
        "ms" => MS,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => 60 * MINUTE,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    (number >= 0.0 && number.is_finite()).then(|| (number * unit as f64).round() as Micros)
}

pub(crate) fn de<'de, D: Deserializer<'de>>(from: D) -> Result<Micros, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no length of time, such as 30s or 5m")))
}

pub(crate) fn de_option<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Micros>, D::Error> {
    de(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_every_unit_and_nothing_else_is() {
        assert_eq!(parse("400ms"), Some(400 * MS));
        assert_eq!(parse("1.5s"), Some(1_500 * MS));
        assert_eq!(parse("5m"), Some(5 * MINUTE));
        assert_eq!(parse("1h"), Some(60 * MINUTE));
        for bad in ["", "5", "m", "-5s", "5 parsecs", "nan s"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
