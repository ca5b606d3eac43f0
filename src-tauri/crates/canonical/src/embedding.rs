//! Texts → vectors: what a client asks of an embedding model, and what it is given.

use serde::{Deserialize, Serialize};

use crate::request::{Part, plain_text};
use crate::{Content, Extensions, Usage};

/// One request for embeddings. Optional fields are `None` where the client did not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbeddingRequest {
    /// The model as the client named it; a target's own model id replaces it on the way out.
    pub model: String,
    /// One vector is made of each, in this order.
    pub inputs: Vec<EmbeddingInput>,
    pub dimensions: Option<u64>,
    /// How the client wants its numbers; `None` is plain numbers.
    pub encoding: Option<VectorEncoding>,
    pub task: Option<EmbeddingTask>,
    /// The client's own id of its end user.
    pub user: Option<String>,
    pub extensions: Extensions,
}

impl EmbeddingRequest {
    /// The text of each input, where all are nothing but text.
    pub fn texts(&self) -> Option<Vec<String>> {
        self.inputs.iter().map(EmbeddingInput::text).collect()
    }
}

/// What one vector is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum EmbeddingInput {
    Text(String),
    /// Text that the client has cut into the model's own tokens.
    Tokens(Vec<u64>),
    /// Several pieces that make one vector together (text and an image, at Gemini).
    Parts(Vec<Part>),
}

impl EmbeddingInput {
    /// The input as text; `None` where it is anything else as well.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Tokens(_) => None,
            Self::Parts(parts) => {
                let is_text = parts.iter().all(|part| matches!(part.content, Content::Text(_)));
                is_text.then(|| plain_text(parts))
            }
        }
    }
}

/// The form of a vector in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorEncoding {
    /// A list of numbers.
    Float,
    /// Little-endian 32-bit floats, as base64.
    Base64,
}

/// What the vectors are for; models make different ones of the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingTask {
    /// Looks for documents.
    Query,
    /// Is looked for.
    Document,
    Similarity,
    Classification,
    Clustering,
    QuestionAnswering,
    FactVerification,
    CodeQuery,
    /// A task this version has no word for, as the client wrote it.
    #[serde(untagged)]
    Other(String),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingResponse {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that really answers; may differ from the one asked for.
    pub model: Option<String>,
    /// One per input, in the inputs' order.
    pub vectors: Vec<Vector>,
    /// `None` where the provider reported nothing: unknown, not zero.
    pub usage: Option<Usage>,
    pub extensions: Extensions,
}

impl EmbeddingResponse {
    /// Takes in the answer to the inputs behind these. Counts add up; where either answer has none,
    /// nothing is known of both.
    pub fn append(&mut self, next: Self) {
        self.vectors.extend(next.vectors);
        self.usage = match (self.usage.take(), next.usage) {
            (Some(sum), Some(next)) => Some(added(sum, &next)),
            _ => None,
        };
    }
}

fn added(mut sum: Usage, next: &Usage) -> Usage {
    let both = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    sum.input_tokens = sum.input_tokens.saturating_add(next.input_tokens);
    sum.input_image_tokens = sum.input_image_tokens.saturating_add(next.input_image_tokens);
    sum.input_audio_tokens = sum.input_audio_tokens.saturating_add(next.input_audio_tokens);
    sum.input_video_tokens = sum.input_video_tokens.saturating_add(next.input_video_tokens);
    sum.total_tokens = both(sum.total_tokens, next.total_tokens);
    sum.reported_cost = match (sum.reported_cost, next.reported_cost) {
        (Some(sum), Some(next)) => Some(sum + next),
        _ => None,
    };
    sum
}

/// One vector, in the precision in which it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vector {
    /// Written as decimal numbers.
    Decimal(Vec<f64>),
    /// Sent as 32-bit floats.
    Single(Vec<f32>),
    /// Quantised by the provider.
    Int8(Vec<i8>),
}

impl Vector {
    pub fn len(&self) -> usize {
        match self {
            Self::Decimal(values) => values.len(),
            Self::Single(values) => values.len(),
            Self::Int8(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PicoUsd;

    fn answer(tokens: Option<u64>, value: f64) -> EmbeddingResponse {
        let usage = tokens.map(|input_tokens| Usage {
            input_tokens,
            total_tokens: Some(input_tokens),
            reported_cost: Some(PicoUsd(7)),
            ..Usage::default()
        });
        EmbeddingResponse {
            vectors: vec![Vector::Decimal(vec![value])],
            usage,
            ..EmbeddingResponse::default()
        }
    }

    #[test]
    fn answers_to_one_request_are_joined_in_order_and_their_counts_add_up() {
        let mut first = answer(Some(3), 1.0);
        first.append(answer(Some(4), 2.0));
        assert_eq!(first.vectors, [Vector::Decimal(vec![1.0]), Vector::Decimal(vec![2.0])]);
        let usage = first.usage.clone().unwrap();
        assert_eq!((usage.input_tokens, usage.total_tokens), (7, Some(7)));
        assert_eq!(usage.reported_cost, Some(PicoUsd(14)));
        first.append(answer(None, 3.0));
        assert_eq!(first.usage, None, "a part of the count is no count");
    }

    #[test]
    fn only_text_counts_as_text() {
        let parts = EmbeddingInput::Parts(vec![Part::text("a"), Part::text("b")]);
        assert_eq!(parts.text().as_deref(), Some("ab"));
        assert_eq!(EmbeddingInput::Tokens(vec![1]).text(), None);
    }
}
