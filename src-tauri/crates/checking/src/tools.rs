//! A request's tools, compiled, and what a call to them is worth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::Tool;
use canonical::request::{FunctionTool, ToolCall};
use serde_json::Value;

use crate::fit;
use crate::mend::{self, Root};
use crate::schema::{Schema, Schemas, type_of};
use crate::verdict::{Failure, Note, Repaired, Verdict};

/// How alike a name must be to be named as the nearest.
const LIKENESS: f64 = 0.8;

/// Names deep inside of a tool that only its family knows (OpenAI's namespaces hold tools).
const OPAQUE_DEPTH: usize = 4;

/// What models put before a tool's name: the namespace that OpenAI's templates show them.
const PREFIXES: [&str; 4] = ["functions.", "functions::", "function.", "tools."];

/// Properties in which models wrap a call's arguments.
const WRAPPERS: [&str; 6] = ["arguments", "parameters", "args", "input", "params", "kwargs"];

/// The tools of one request.
#[derive(Debug, Default)]
pub struct ToolSet {
    functions: BTreeMap<String, Function>,
    /// Names that tools of one family alone go by; their calls are not checked.
    opaque: BTreeSet<String>,
    /// There is a tool whose calls' names cannot be known.
    is_open: bool,
    /// Tools whose schema says nothing, and why.
    pub unchecked: Vec<(String, String)>,
}

#[derive(Debug)]
struct Function {
    /// `None` where there is none, or none that compiles.
    schema: Option<Arc<Schema>>,
}

impl ToolSet {
    /// The tools with their schemas compiled. A schema that does not compile is noted in
    /// `unchecked`, and its calls need only be a JSON object.
    pub fn compile(tools: &[Tool], schemas: &Schemas) -> Self {
        let mut set = Self::default();
        for tool in tools {
            match tool {
                Tool::Function(function) => set.add(function, schemas),
                Tool::Opaque(opaque) => {
                    let before = set.opaque.len();
                    names_in(&opaque.value, OPAQUE_DEPTH, &mut set.opaque);
                    set.is_open |= set.opaque.len() == before;
                }
            }
        }
        set
    }

    fn add(&mut self, function: &FunctionTool, schemas: &Schemas) {
        let schema = match function.parameters.as_ref().map(|source| schemas.get(source)) {
            None => None,
            Some(Ok(schema)) => Some(schema),
            Some(Err(why)) => {
                self.unchecked.push((function.name.clone(), why));
                None
            }
        };
        self.functions.insert(function.name.clone(), Function { schema });
    }

    /// The tool's schema as it was given, where it is held against calls.
    pub fn schema(&self, name: &str) -> Option<&Value> {
        self.functions.get(name)?.schema.as_deref().map(Schema::source)
    }

    pub fn check(&self, call: &ToolCall) -> Verdict {
        if call.is_server_side {
            return Verdict::Unchecked;
        }
        match self.functions.get(&call.name) {
            Some(function) => match check_arguments(function, &call.arguments) {
                Ok(()) => Verdict::Ok,
                Err(failure) => Verdict::Failed(failure),
            },
            None if self.is_open || self.opaque.contains(&call.name) => Verdict::Unchecked,
            None => Verdict::Failed(self.unknown(&call.name)),
        }
    }

    /// The call as it was plainly meant, where that can be told and passes the check. An answer
    /// that was cut off (`is_cut`) is not completed.
    pub fn repair(&self, call: &ToolCall, is_cut: bool) -> Option<Repaired> {
        let mut notes = Vec::new();
        let name = if self.functions.contains_key(&call.name) {
            call.name.clone()
        } else {
            notes.push(Note::ToolName);
            self.meant(&call.name)?.to_owned()
        };
        let function = self.functions.get(&name)?;
        if check_arguments(function, &call.arguments).is_ok() {
            return Some(Repaired { name, text: call.arguments.clone(), notes });
        }
        let mended = mend::mend(&call.arguments, Root::Object, is_cut)?;
        notes.extend(mended.notes);
        let value = unwrapped(mended.value, &name, function, &mut notes);
        let value = match &function.schema {
            Some(schema) => fit::fit(value, schema, &mut notes)?,
            None => value,
        };
        let text = value.to_string();
        check_arguments(function, &text).ok()?;
        notes.sort_unstable();
        notes.dedup();
        Some(Repaired { name, text, notes })
    }

    fn unknown(&self, name: &str) -> Failure {
        let nearest = self
            .functions
            .keys()
            .map(|known| (strsim::jaro_winkler(&plain(name), &plain(known)), known))
            .filter(|(likeness, _)| *likeness > LIKENESS)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known.clone());
        Failure::UnknownTool { name: name.to_owned(), nearest }
    }

    /// The one tool that `name` can only mean.
    fn meant(&self, name: &str) -> Option<&str> {
        let meant = plain(name);
        let mut same = self.functions.keys().filter(|known| plain(known) == meant);
        let found = same.next()?;
        same.next().is_none().then_some(found)
    }
}

/// A name without what models add to it or write differently: a namespace, a call's number behind
/// it (Kimi's `functions.name:0`), case, and which sign joins its words.
fn plain(name: &str) -> String {
    let name = name.trim();
    let name = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let name = match name.rsplit_once(':') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => name,
    };
    name.chars()
        .map(|c| if matches!(c, '-' | '.' | ' ' | '/' | ':') { '_' } else { c.to_ascii_lowercase() })
        .collect()
}

fn check_arguments(function: &Function, arguments: &str) -> Result<(), Failure> {
    let value = match parse(arguments) {
        // Providers write nothing at all for a call without arguments.
        _ if arguments.trim().is_empty() => Value::Object(serde_json::Map::new()),
        Ok(value) => value,
        Err(at) => return Err(Failure::InvalidJson { at }),
    };
    if let Some(schema) = &function.schema {
        schema.check(&value)?;
    }
    if value.is_object() {
        return Ok(());
    }
    let message = format!("is {} where arguments are an object", type_of(&value));
    Err(Failure::SchemaMismatch { path: String::new(), message })
}

/// The JSON of `text`, or the byte where it stops being some.
pub(crate) fn parse(text: &str) -> Result<Value, usize> {
    serde_json::from_str(text).map_err(|error| {
        let above: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        (above + error.column().saturating_sub(1)).min(text.len())
    })
}

/// The arguments without the wrapping that the schema does not know.
fn unwrapped(value: Value, name: &str, function: &Function, notes: &mut Vec<Note>) -> Value {
    let Some(inner) = wrapped(&value, name, function) else { return value };
    let inner = match inner {
        Value::Object(_) => Some(inner.clone()),
        Value::String(text) => match parse(text) {
            Ok(inner @ Value::Object(_)) => {
                notes.push(Note::EncodedTwice);
                Some(inner)
            }
            _ => None,
        },
        _ => None,
    };
    let fits_better = |inner: &Value| {
        function.schema.as_ref().is_some_and(|schema| !schema.accepts(&value) || schema.accepts(inner))
    };
    match inner {
        Some(inner) if fits_better(&inner) => {
            notes.push(Note::Wrapped);
            inner
        }
        _ => value,
    }
}

fn wrapped<'v>(value: &'v Value, name: &str, function: &Function) -> Option<&'v Value> {
    let fields = value.as_object()?;
    let known = function.schema.as_ref()?.source().get("properties").and_then(Value::as_object);
    let mut inner = None;
    for (key, field) in fields {
        let is_known = known.is_some_and(|known| known.contains_key(key));
        let names_tool = matches!(key.as_str(), "name" | "tool" | "function" | "tool_name") && field == name;
        if is_known {
            return None;
        }
        if names_tool {
            continue;
        }
        if inner.is_some() || !WRAPPERS.contains(&key.as_str()) {
            return None;
        }
        inner = Some(field);
    }
    inner
}

/// Every `name` in a tool that only its family knows; calls may go by any of them.
fn names_in(value: &Value, depth: usize, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if depth > 0 => {
            names.extend(fields.get("name").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| names_in(field, depth - 1, names));
        }
        Value::Array(items) if depth > 0 => items.iter().for_each(|item| names_in(item, depth - 1, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
