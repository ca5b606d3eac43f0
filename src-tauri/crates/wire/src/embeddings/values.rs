//! A vector in JSON: a list of numbers, or bytes as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::Error;
use canonical::embedding::{Vector, VectorEncoding};
use serde::Serialize;
use serde_json::value::RawValue;

use super::invalid;

/// What a vector's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Little-endian 32-bit floats: OpenAI's `base64`.
    Single,
    /// One signed byte per value: Perplexity's only form.
    Int8,
}

pub(super) fn decode(raw: &RawValue, bytes: Bytes) -> Result<Vector, Error> {
    let text = raw.get().trim();
    if !text.starts_with('"') {
        let values = serde_json::from_str(text).map_err(|_| invalid("a vector is no list of numbers"))?;
        return Ok(Vector::Decimal(values));
    }
    let coded: String = serde_json::from_str(text).map_err(|_| invalid("a vector is no text"))?;
    let decoded = STANDARD.decode(coded).map_err(|_| invalid("a vector is no base64"))?;
    match bytes {
        Bytes::Int8 => Ok(Vector::Int8(decoded.into_iter().map(u8::cast_signed).collect())),
        Bytes::Single => {
            let (values, rest) = decoded.as_chunks::<4>();
            if !rest.is_empty() {
                return Err(invalid("a vector's bytes are no 32-bit floats"));
            }
            Ok(Vector::Single(values.iter().map(|value| f32::from_le_bytes(*value)).collect()))
        }
    }
}

/// A vector as a client wants it; each number is written as short as its precision allows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Written<'a> {
    Decimal(&'a [f64]),
    Single(&'a [f32]),
    Int8(&'a [i8]),
    Base64(String),
}

pub(super) fn encode(vector: &Vector, encoding: Option<VectorEncoding>) -> Written<'_> {
    if encoding == Some(VectorEncoding::Base64) {
        return Written::Base64(base64(vector));
    }
    match vector {
        Vector::Decimal(values) => Written::Decimal(values),
        Vector::Single(values) => Written::Single(values),
        Vector::Int8(values) => Written::Int8(values),
    }
}

fn base64(vector: &Vector) -> String {
    let bytes: Vec<u8> = match vector {
        Vector::Decimal(values) => values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect(),
        Vector::Single(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Vector::Int8(values) => values.iter().flat_map(|value| f32::from(*value).to_le_bytes()).collect(),
    };
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(json: &str, bytes: Bytes) -> Result<Vector, Error> {
        decode(&RawValue::from_string(json.to_owned()).unwrap(), bytes)
    }

    #[test]
    fn a_vector_survives_each_form() {
        let vector = decoded("[0.5,-0.25,1]", Bytes::Single).unwrap();
        assert_eq!(vector, Vector::Decimal(vec![0.5, -0.25, 1.0]));
        let coded = serde_json::to_string(&encode(&vector, Some(VectorEncoding::Base64))).unwrap();
        let single = decoded(&coded, Bytes::Single).unwrap();
        assert_eq!(single, Vector::Single(vec![0.5, -0.25, 1.0]));
        assert_eq!(serde_json::to_string(&encode(&single, None)).unwrap(), "[0.5,-0.25,1.0]");
        let tenth = Vector::Single(vec![0.1]);
        assert_eq!(serde_json::to_string(&encode(&tenth, None)).unwrap(), "[0.1]", "no idle digits");
    }

    #[test]
    fn bytes_that_are_no_vector_are_refused() {
        for json in ["\"AAA\"", "\"AAAA\"", "{}", "[\"a\"]", "null"] {
            assert!(decoded(json, Bytes::Single).is_err(), "{json}");
        }
        assert_eq!(decoded("\"/wF/\"", Bytes::Int8).unwrap(), Vector::Int8(vec![-1, 1, 127]));
    }
}
