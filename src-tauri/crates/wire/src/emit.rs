//! What decoders of several families put into their events alike.

use canonical::{PartDelta, StreamEvent};
use serde_json::{Map, Value};

/// More of an open part, where there is any.
pub(crate) fn delta(out: &mut Vec<StreamEvent>, index: u32, delta: PartDelta) {
    if !delta.is_empty() {
        out.push(StreamEvent::PartDelta { index, delta });
    }
}

/// Fields that only `family` knows, where there are any.
pub(crate) fn extension(
    out: &mut Vec<StreamEvent>,
    family: &str,
    choice: Option<u32>,
    fields: Map<String, Value>,
) {
    if !fields.is_empty() {
        out.push(StreamEvent::Extension { choice, family: family.to_owned(), fields });
    }
}

/// Adds the sources of `part` to `cited`, each with the part that it stands for, and passes all on: a
/// later list replaces an earlier one.
pub(crate) fn citations(
    out: &mut Vec<StreamEvent>,
    family: &str,
    cited: &mut Vec<Value>,
    part: u32,
    sources: Vec<Value>,
) {
    for mut source in sources {
        if let Value::Object(fields) = &mut source {
            fields.insert("part_index".into(), part.into());
        }
        cited.push(source);
    }
    let all = Value::Array(cited.clone());
    extension(out, family, Some(0), Map::from_iter([("citations".to_owned(), all)]));
}
