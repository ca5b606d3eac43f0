//! Every recorded answer is held against the tools and the format that its own request declared.
//!
//! `cargo test -p signalbox-tests --test tool_checks -- --nocapture` prints how many calls each
//! provider's models made, and how many were wrong. What is wrong in the corpus is known by name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "A corpus that cannot be read has failed.")]

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::fold::fold;
use canonical::request::{FunctionTool, Opaque, ResponseFormat};
use canonical::{ChatRequest, ChatResponse, Tool};
use checking::answer::{Checks, check_whole};
use checking::{AnswerCheck, Finding, Mode, Remedy, Report, Schemas, Subject};
use serde_json::Value;
use signalbox_tests::corpus::{self, Record};
use wire::ProtocolId;
use wire::driver::StreamDriver;

#[path = "tool_checks/known.rs"]
mod known;

/// What a recorded request declares, read without our dialects: half of the protocols have none.
fn declared(body: &Value) -> ChatRequest {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let bedrock = body.pointer("/toolConfig/tools").and_then(Value::as_array).into_iter().flatten();
    let tools = tools.chain(bedrock).flat_map(tools_in).collect();
    ChatRequest { tools, response_format: format_in(body), ..ChatRequest::default() }
}

fn tools_in(value: &Value) -> Vec<Tool> {
    let function = |name: &Value, schema: Option<&Value>| {
        Some(Tool::Function(FunctionTool {
            name: name.as_str()?.to_owned(),
            parameters: schema.filter(|schema| !schema.is_null()).cloned(),
            ..FunctionTool::default()
        }))
    };
    let declarations = value.get("functionDeclarations").or_else(|| value.get("function_declarations"));
    if let Some(declarations) = declarations.and_then(Value::as_array) {
        let schema = |one: &Value| {
            ["parameters", "parametersJsonSchema", "parameters_json_schema"]
                .iter()
                .find_map(|name| one.get(*name).cloned())
        };
        return declarations.iter().filter_map(|one| function(&one["name"], schema(one).as_ref())).collect();
    }
    let kind = value.get("type").and_then(Value::as_str);
    let found = match (kind, value.get("function"), value.get("toolSpec"), value.get("input_schema")) {
        (_, Some(inner), ..) => function(&inner["name"], inner.get("parameters")),
        (_, _, Some(spec), _) => function(&spec["name"], spec.pointer("/inputSchema/json")),
        (None | Some("custom"), _, _, Some(schema)) => function(&value["name"], Some(schema)),
        (Some("function"), ..) => function(&value["name"], value.get("parameters")),
        _ => None,
    };
    let opaque = || Tool::Opaque(Opaque { family: "recorded".to_owned(), value: value.clone() });
    vec![found.unwrap_or_else(opaque)]
}

fn format_in(body: &Value) -> Option<ResponseFormat> {
    let schema = [
        "/response_format/json_schema/schema",
        "/response_format/json_schema",
        "/text/format/schema",
        "/output_config/format/schema",
        "/generationConfig/responseJsonSchema",
        "/generationConfig/responseSchema",
    ]
    .iter()
    .find_map(|pointer| body.pointer(pointer).filter(|schema| schema.is_object()));
    if let Some(schema) = schema {
        return Some(ResponseFormat::JsonSchema {
            name: None,
            description: None,
            schema: schema.clone(),
            strict: None,
        });
    }
    let kind = ["/response_format/type", "/text/format/type"]
        .iter()
        .find_map(|pointer| body.pointer(pointer)?.as_str());
    (kind == Some("json_object")).then_some(ResponseFormat::JsonObject)
}

fn protocol_of(record: &Record) -> Option<ProtocolId> {
    record
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("wire:"))
        .chain([record.api.as_str()])
        .find_map(ProtocolId::from_name)
}

/// The answer as it was recorded; `None` where it is none.
fn answer(record: &Record, protocol: ProtocolId) -> Option<ChatResponse> {
    let quirks = catalog::kind(&record.provider).map(|kind| kind.endpoint(protocol).quirks);
    let quirks = quirks.unwrap_or_default();
    let protocol = wire::protocol(protocol);
    if !record.stream {
        return protocol.decode_response(&record.body(), &quirks).ok();
    }
    let mut events = Vec::new();
    let mut driver = StreamDriver::new(protocol, &quirks);
    driver.push(&record.body(), &mut events).ok()?;
    driver.finish(&mut events).ok()?;
    Some(fold(&events))
}

#[derive(Default)]
struct Tally {
    calls: u32,
    outputs: u32,
    by_kind: BTreeMap<&'static str, u32>,
    repaired: u32,
}

fn line(record: &Record, finding: &Finding) -> String {
    let what = match &finding.subject {
        Subject::ToolCall { name, .. } => name.as_str(),
        Subject::Output => "(answer)",
    };
    let remedy = match &finding.remedy {
        Remedy::Repaired(notes) => notes.iter().map(|note| note.as_str()).collect::<Vec<_>>().join(","),
        Remedy::None | Remedy::Withheld => "-".to_owned(),
    };
    format!("{} {what} {} {remedy}", record.id, finding.failure.kind())
}

#[test]
fn every_recorded_call_is_checked_against_its_own_request() {
    let Some(records) = corpus::everything() else { return };
    let schemas = Schemas::default();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut unchecked = Vec::new();
    let mut wrong = Vec::new();
    for record in records {
        if record.response.status >= 400 {
            continue;
        }
        let Some(body) = record.request.as_ref().and_then(|request| request.body.as_ref()) else { continue };
        let request = declared(body);
        let checks = Checks::of(&request, &schemas, Mode::Repair, Mode::Repair);
        let (true, Some(protocol)) = (checks.is_needed(), protocol_of(&record)) else { continue };
        let Some(mut response) = answer(&record, protocol) else { continue };
        unchecked.extend(checks.unchecked().map(|(name, why)| format!("{} {name}: {why}", record.id)));
        streamed_is_whole(&request, &schemas, &response);
        let (report, result) = check_whole(&checks, &mut response);
        assert_eq!(result, Ok(()), "repair withholds nothing");
        let tally = tallies.entry(record.provider.clone()).or_default();
        tally.add(&report);
        wrong.extend(report.findings.iter().map(|finding| line(&record, finding)));
    }
    print(&tallies);
    println!("{} schemas say nothing:\n{}", unchecked.len(), unchecked.join("\n"));
    println!("{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    wrong.sort();
    let mut expected: Vec<String> = known::WRONG.iter().map(|line| (*line).to_owned()).collect();
    expected.sort();
    assert_eq!(wrong, expected);
    assert_eq!(unchecked, known::UNCHECKED);
}

/// An answer that streams gets the same verdicts, and without repairs stays as it is.
fn streamed_is_whole(request: &ChatRequest, schemas: &Schemas, response: &ChatResponse) {
    let checks = Arc::new(Checks::of(request, schemas, Mode::Observe, Mode::Observe));
    let events = canonical::fold::unfold(response);
    let mut check = AnswerCheck::new(Arc::clone(&checks));
    let mut out = Vec::new();
    for event in events.clone() {
        check.event(event, &mut out);
    }
    check.end(&mut out).unwrap();
    assert_eq!(out, events);
    let (whole, _) = check_whole(&checks, &mut response.clone());
    assert_eq!(check.report(), &whole);
}

impl Tally {
    fn add(&mut self, report: &Report) {
        self.calls += report.calls;
        self.outputs += report.outputs;
        for finding in &report.findings {
            *self.by_kind.entry(finding.failure.kind()).or_default() += 1;
            self.repaired += u32::from(matches!(finding.remedy, Remedy::Repaired(_)));
        }
    }
}

fn print(tallies: &BTreeMap<String, Tally>) {
    println!("provider | calls | answers | wrong | mended");
    for (provider, tally) in tallies.iter().filter(|(_, tally)| tally.calls + tally.outputs > 0) {
        let wrong: u32 = tally.by_kind.values().sum();
        let kinds: Vec<String> =
            tally.by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        println!(
            "{provider} | {} | {} | {wrong} | {} {}",
            tally.calls,
            tally.outputs,
            tally.repaired,
            kinds.join(", ")
        );
    }
    let calls: u32 = tallies.values().map(|tally| tally.calls).sum();
    let outputs: u32 = tallies.values().map(|tally| tally.outputs).sum();
    println!("{calls} calls and {outputs} answers were checked");
    assert!(calls > 300, "the corpus has hundreds of calls; {calls} were checked");
}
