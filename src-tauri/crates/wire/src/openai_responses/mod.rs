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
//! `part.N` ([`PART_PREFIX`]) holds those of part N. It is said twice: what the item was announced
//! with (its id) before the part begins, and all of it before the part ends. In a request they are the part's own
//! extensions, and those of a message's item may also be the message's.
//!
//! For the request: reasoning and tools whose extensions hold anything of this family came over
//! this wire and are sent back as they came. Reasoning without is another provider's, and left out.

pub mod client;
pub mod server;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "openai-responses";

/// Under this prefix, the extensions of a text or refusal part hold fields of its message item.
pub const ITEM_PREFIX: &str = "item.";

/// The extensions of an answer's choice hold those of part N under this prefix and its number.
pub const PART_PREFIX: &str = "part.";

/// The one name of a function in a namespace, for all who know no namespaces. A function that was
/// found by `tool_search` is called in a namespace of its own name, which nobody declared.
pub(crate) fn qualified(namespace: &str, name: &str) -> String {
    if namespace == name {
        return name.to_owned();
    }
    let between = if namespace.ends_with('_') { "" } else { "__" };
    format!("{namespace}{between}{name}")
}

/// The extensions of a reasoning part that is being written say here to which list of its item
/// (`summary` or `content`) the next piece belongs; the blank line that follows is none of its text.
const NEXT_PIECE: &str = "next_piece";

/// Between the pieces of one thought.
const BETWEEN_THOUGHTS: &str = "\n\n";
