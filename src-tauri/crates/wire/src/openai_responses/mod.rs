//! OpenAI's Responses, and everyone who says to be compatible with it.
//!
//! An answer is a list of *items*; what each becomes, and what is kept of it in the extensions of
//! this family, so that it can be written back as it came:
//!
//! - `message` → a text or refusal part per piece of content. The item's own fields (`id`,
//!   `status`, `phase`) are kept under [`ITEM_PREFIX`], those of the content (`annotations`,
//!   `logprobs`) under their names.
//! - `reasoning` → one reasoning part: summaries and full text, joined by blank lines, and the
//!   encrypted form. `content`, and a `summary` of several pieces, are kept as they came. An item
//!   that holds no word of its thought is opaque.
//! - `function_call` and `custom_tool_call` → a tool call; the free-form input of the latter stands
//!   in `arguments`, its `type` in the extensions.
//! - `image_generation_call` → an image.
//! - everything else (tools that the provider runs, patches, approvals) → opaque, whole.
//!
//! An answer has no place for fields of one part, so they ride on the choice: the field
//! `part.N` ([`PART_PREFIX`]) holds those of part N. In a request they are the part's own
//! extensions, and those of a message's item may also be the message's.
//!
//! For the request: reasoning and tools whose extensions hold anything of this family came over
//! this wire and are sent back as they came. Reasoning without is another provider's, and left out.

pub mod client;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "openai-responses";

/// Under this prefix, the extensions of a text or refusal part hold fields of its message item.
pub const ITEM_PREFIX: &str = "item.";

/// The extensions of an answer's choice hold those of part N under this prefix and its number.
pub const PART_PREFIX: &str = "part.";

/// Between the pieces of one thought.
const BETWEEN_THOUGHTS: &str = "\n\n";
