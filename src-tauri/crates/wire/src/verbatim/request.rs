//! A client's body → the provider's, by edits of single places.

use canonical::request::Content;
use canonical::{ChatRequest, Role};
use serde_json::Value;

use super::spans::{Edits, Object};
use super::tap::{StreamForm, TapOptions};
use super::{Edit, Said, Translate, Verbatim};
use crate::signatures::has_sealed;
use crate::{
    Headers, HttpRequest, Protocol, Quirks, TargetContext, anthropic_messages, gemini_generate, openai_chat,
    openai_responses,
};

/// The headers of a client's that say how its body is to be read; nothing else is passed on, no key,
/// no cookie and nothing of the connection.
const PASSED_HEADERS: [&str; 3] = ["anthropic-version", BETAS, "openai-beta"];

const BETAS: &str = "anthropic-beta";

/// Those of a client's headers that may be passed on.
pub fn passed(headers: &Headers) -> Headers {
    headers
        .iter()
        .filter(|(name, _)| PASSED_HEADERS.iter().any(|passed| name.eq_ignore_ascii_case(passed)))
        .collect()
}

/// Under which names Chat Completions takes an output limit, the newer first.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// Under which names earlier reasoning comes back in a message of Chat Completions.
const THOUGHTS: [&str; 2] = ["reasoning_content", "reasoning"];

/// The request to `target` with the client's own body, or why it has to be translated. `request` is
/// what the dialect made of the same body.
pub fn request(
    said: &Said<'_>,
    request: &ChatRequest,
    protocol: &dyn Protocol,
    target: &TargetContext<'_>,
) -> Result<Verbatim, Translate> {
    let family = protocol.id().as_str();
    if said.family != family {
        return Err(Translate::OtherFamily);
    }
    let mut http = protocol.address(request.stream, target).ok_or(Translate::NoAddress)?;
    let object = Object::read(said.body, 0..said.body.len()).ok_or(Translate::Unreadable)?;
    if has_sealed(said.body) {
        return Err(Translate::SealedSignature);
    }
    if family == openai_responses::FAMILY && openai_responses::server::has_minted(said.body) {
        return Err(Translate::MintedId);
    }
    let rules = Rules { said, request, object: &object, quirks: target.quirks };
    let mut change = Change::default();
    change.model(&object, said.body, target.model, family);
    change.drop_fields(&object, said, &target.quirks.drop_fields);
    let mut tap = TapOptions::default();
    if family == openai_chat::types::FAMILY {
        rules.allow_chat()?;
        rules.chat(&mut change, &mut tap)?;
    }
    tap.hides_done = family == anthropic_messages::FAMILY;
    tap.mends_message = tap.hides_done;
    tap.data_lines_only = family == gemini_generate::FAMILY;
    if family == gemini_generate::FAMILY && request.stream && !asks_for_events(said.query) {
        http.query.retain(|(name, _)| name != "alt");
        tap.form = StreamForm::Array;
    }
    pass_headers(&mut http, said.headers, target.quirks);
    http.body = if change.made.is_empty() { said.body.to_vec() } else { change.edits.apply(said.body) };
    Ok(Verbatim { http, edits: change.made, tap })
}

fn asks_for_events(query: &[(String, String)]) -> bool {
    query.iter().any(|(name, value)| name == "alt" && value == "sse")
}

/// The client's word replaces the protocol's own. Of its opt-ins those are left out that the
/// provider's file does not allow.
fn pass_headers(http: &mut HttpRequest, said: &Headers, quirks: &Quirks) {
    for name in PASSED_HEADERS {
        let values: Vec<&str> =
            said.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
        if values.is_empty() {
            continue;
        }
        http.headers.retain(|(have, _)| *have != name);
        let value = if name == BETAS { quirks.betas(values) } else { Some(values.join(",")) };
        http.headers.extend(value.map(|value| (name, value)));
    }
}

/// The edits of one body, and their names.
#[derive(Default)]
struct Change {
    edits: Edits,
    made: Vec<Edit>,
}

impl Change {
    fn note(&mut self, edit: Edit) {
        if !self.made.contains(&edit) {
            self.made.push(edit);
        }
    }

    /// Gemini names the model in the path, and some clients in the body as well.
    fn model(&mut self, object: &Object<'_>, body: &[u8], model: &str, family: &str) {
        for field in object.all("model") {
            let said: Option<String> = serde_json::from_slice(&body[field.value.clone()]).ok();
            let has_prefix = said.as_ref().is_some_and(|said| said.starts_with("models/"));
            let is_bare = family != gemini_generate::FAMILY || !has_prefix || model.starts_with("models/");
            let name = if is_bare { model.to_owned() } else { format!("models/{model}") };
            if said.as_deref() != Some(&name) {
                self.edits.replace(field.value.clone(), Value::from(name).to_string());
                self.note(Edit::Model);
            }
        }
    }

    /// Gemini's sampling fields stand one level deeper.
    fn drop_fields(&mut self, object: &Object<'_>, said: &Said<'_>, names: &[String]) {
        self.drop(object, names);
        if said.family == gemini_generate::FAMILY {
            for config in object.all("generationConfig") {
                if let Some(config) = Object::read(said.body, config.value.clone()) {
                    self.drop(&config, names);
                }
            }
        }
    }

    fn drop<S: AsRef<str>>(&mut self, object: &Object<'_>, names: &[S]) {
        let is_named = |have: &str| names.iter().any(|name| name.as_ref() == have);
        if object.fields.iter().any(|field| is_named(&field.name)) {
            self.edits.remove(object, is_named);
        }
        for field in object.fields.iter().filter(|field| is_named(&field.name)) {
            self.note(Edit::DropField(field.name.to_string()));
        }
    }
}

/// What Chat Completions needs beyond a model's name.
struct Rules<'a> {
    said: &'a Said<'a>,
    request: &'a ChatRequest,
    object: &'a Object<'a>,
    quirks: &'a Quirks,
}

impl Rules<'_> {
    /// Whether the provider reads what the client wrote, edits aside.
    fn allow_chat(&self) -> Result<(), Translate> {
        // Every quirk is named, so that a new one does not compile until somebody has said what it
        // means for bytes that are passed on as they are.
        let Quirks {
            no_developer_role,
            reasoning_field,
            reasoning_object,
            // Edits, made elsewhere in this file.
            max_tokens_field: _,
            omit_stream_options: _,
            drop_fields: _,
            // Of the address, not of the body.
            version: _,
            models_host: _,
            models_path: _,
            models_base: _,
            path_prefix: _,
            answer_path: _,
            stream_path: _,
            query: _,
            // Of another family.
            omit_model: _,
            version_in_body: _,
            allowed_betas: _,
            // Not of conversations.
            embeddings_path: _,
            embedding_dimensions_field: _,
            embeddings_are_int8: _,
            vertex_forms: _,
            // Sealed signatures are translated; those that are not came from this family.
            signature_maker: _,
            // Of the answer; the decoder knows them.
            reasoning_beside_completion: _,
            done_without_finish_reason: _,
            // The client's own choice, at a provider that it knows.
            tool_media: _,
            // A client of the same family says them in the provider's own words.
            openai_extras: _,
            // The client has the field from the provider and writes it back itself.
            google_signatures: _,
        } = self.quirks;
        if *no_developer_role && self.request.messages.iter().any(|message| message.role == Role::Developer) {
            return Err(Translate::DeveloperRole);
        }
        let (has_word, has_object) = (self.object.has("reasoning_effort"), self.object.has("reasoning"));
        if (has_object && !reasoning_object) || (has_word && *reasoning_object) {
            return Err(Translate::ReasoningForm);
        }
        let says = |name: &str| !self.object.has(name) && self.mentions(name);
        let says_it_right = reasoning_field.as_deref().is_some_and(says);
        if self.has_thoughts() && !says_it_right && THOUGHTS.into_iter().any(says) {
            return Err(Translate::EarlierReasoning);
        }
        Ok(())
    }

    fn has_thoughts(&self) -> bool {
        let parts = self.request.messages.iter().flat_map(|message| &message.parts);
        parts.into_iter().any(|part| matches!(part.content, Content::Reasoning(_)))
    }

    /// Whether a key or a string of that name stands anywhere in the body.
    fn mentions(&self, name: &str) -> bool {
        memchr::memmem::find(self.said.body, format!("\"{name}\"").as_bytes()).is_some()
    }

    fn chat(&self, change: &mut Change, tap: &mut TapOptions) -> Result<(), Translate> {
        self.limit(change);
        let drops_options = self.quirks.drop_fields.iter().any(|name| name == "stream_options");
        if self.quirks.omit_stream_options && !drops_options {
            change.drop(self.object, &["stream_options"]);
        } else if self.request.stream && !self.request.include_usage && !drops_options {
            self.include_usage(change)?;
            tap.hides_usage = true;
        }
        Ok(())
    }

    /// One limit, under the provider's name for it. Where its file names none, the client knows.
    fn limit(&self, change: &mut Change) {
        let Some(wanted) = self.quirks.max_tokens_field.as_deref() else { return };
        let Some(said) = LIMITS.into_iter().find(|name| self.object.has(name)) else { return };
        let others = |name: &str| LIMITS.contains(&name) && name != said;
        if LIMITS.iter().any(|name| others(name) && self.object.has(name)) {
            change.edits.remove(self.object, others);
            change.note(Edit::MaxTokensField);
        }
        if said != wanted {
            for field in self.object.all(said) {
                change.edits.replace(field.key.clone(), format!("\"{wanted}\""));
                change.note(Edit::MaxTokensField);
            }
        }
    }

    fn include_usage(&self, change: &mut Change) -> Result<(), Translate> {
        const FIELD: &str = "\"include_usage\":true";
        if !self.object.has("stream_options") {
            change.edits.put_last(self.object, &format!("\"stream_options\":{{{FIELD}}}"));
        }
        for field in self.object.all("stream_options") {
            let span = field.value.clone();
            if self.said.body.get(span.clone()) == Some(b"null") {
                change.edits.replace(span, format!("{{{FIELD}}}"));
                continue;
            }
            let options = Object::read(self.said.body, span).ok_or(Translate::Unreadable)?;
            if options.has("include_usage") {
                for field in options.all("include_usage") {
                    change.edits.replace(field.value.clone(), "true");
                }
            } else {
                change.edits.put_last(&options, FIELD);
            }
        }
        change.note(Edit::IncludeUsage);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProtocolId, RequestHead};

    fn edited(body: &str, quirks: &Quirks) -> Result<(String, Vec<String>), Translate> {
        let (family, headers) = (openai_chat::types::FAMILY, Headers::default());
        let dialect = crate::dialect(family).unwrap();
        let decoded = dialect.decode_request(&RequestHead::default(), body.as_bytes()).unwrap();
        let said = Said { family, body: body.as_bytes(), headers: &headers, query: &[] };
        let target = TargetContext { model: "m-2", quirks, max_output_tokens: None };
        let verbatim = request(&said, &decoded, crate::protocol(ProtocolId::OpenaiChat), &target)?;
        let names = verbatim.edits.iter().map(Edit::to_string).collect();
        Ok((String::from_utf8(verbatim.http.body).unwrap(), names))
    }

    const MESSAGES: &str = r#""messages" : [ {"role":"user","content":"\u0068i \"model\": 1"} ]"#;

    #[test]
    fn the_model_is_replaced_wherever_the_body_names_it_and_nothing_else_moves() {
        let body = format!(r#"{{ "mod\u0065l" :"a/m", {MESSAGES}, "x":{{"model":"a/m"}}, "model": "m" }}"#);
        let (text, names) = edited(&body, &Quirks::default()).unwrap();
        let expected =
            format!(r#"{{ "mod\u0065l" :"m-2", {MESSAGES}, "x":{{"model":"a/m"}}, "model": "m-2" }}"#);
        assert_eq!(text, expected);
        assert_eq!(names, ["model"]);
    }

    #[test]
    fn a_body_that_says_all_as_the_provider_wants_it_stays_the_same() {
        let body = format!(r#"{{"model":"m-2",{MESSAGES},"max_tokens":5}}"#);
        assert_eq!(edited(&body, &Quirks::default()).unwrap(), (body, vec![]));
    }

    #[test]
    fn usage_is_asked_for_in_a_stream_and_only_there() {
        for (options, expected) in [
            ("", r#","stream_options":{"include_usage":true}"#),
            (r#","stream_options":null"#, r#","stream_options":{"include_usage":true}"#),
            (r#","stream_options":{ }"#, r#","stream_options":{"include_usage":true }"#),
            (
                r#","stream_options":{"include_usage": false,"a":1}"#,
                r#","stream_options":{"include_usage": true,"a":1}"#,
            ),
            (r#","stream_options":{"a":1}"#, r#","stream_options":{"a":1,"include_usage":true}"#),
        ] {
            let head = format!(r#"{{"model":"m-2",{MESSAGES},"stream":true"#);
            let (text, names) = edited(&format!("{head}{options}}}"), &Quirks::default()).unwrap();
            assert_eq!(text, format!("{head}{expected}}}"));
            assert_eq!(names, ["include_usage"]);
        }
        let asked = format!(
            r#"{{"model":"m-2",{MESSAGES},"stream":true,"stream_options":{{"include_usage":true}}}}"#
        );
        assert_eq!(edited(&asked, &Quirks::default()).unwrap(), (asked.clone(), vec![]));
        let omits = Quirks { omit_stream_options: true, ..Quirks::default() };
        let (text, names) = edited(&asked, &omits).unwrap();
        assert_eq!(text, format!(r#"{{"model":"m-2",{MESSAGES},"stream":true}}"#));
        assert_eq!(names, ["drop_field:stream_options"]);
    }

    #[test]
    fn the_limit_has_the_name_that_the_provider_takes() {
        let quirks = Quirks { max_tokens_field: Some("max_completion_tokens".into()), ..Quirks::default() };
        for (said, expected) in [
            (r#""max_tokens":5"#, r#""max_completion_tokens":5"#),
            (r#""max_completion_tokens": 5"#, r#""max_completion_tokens": 5"#),
            (r#""max_tokens":5, "max_completion_tokens":6"#, r#""max_completion_tokens":6"#),
        ] {
            let body = |limit: &str| format!(r#"{{"model":"m-2",{limit},{MESSAGES}}}"#);
            assert_eq!(edited(&body(said), &quirks).unwrap().0, body(expected));
        }
    }

    #[test]
    fn a_field_that_the_provider_refuses_is_taken_out() {
        let quirks = Quirks { drop_fields: vec!["user".into(), "seed".into()], ..Quirks::default() };
        let body = format!(r#"{{"user":"u", "model":"m-2",{MESSAGES}, "seed":1}}"#);
        let (text, names) = edited(&body, &quirks).unwrap();
        assert_eq!(text, format!(r#"{{"model":"m-2",{MESSAGES}}}"#));
        assert_eq!(names, ["drop_field:user", "drop_field:seed"]);
    }

    #[test]
    fn what_no_single_place_can_mend_is_translated_and_says_why() {
        let developer = r#"{"model":"m","messages":[{"role":"developer","content":"x"}]}"#;
        let quirks = Quirks { no_developer_role: true, ..Quirks::default() };
        assert_eq!(edited(developer, &quirks), Err(Translate::DeveloperRole));

        let asks = format!(r#"{{"model":"m",{MESSAGES},"reasoning":{{"effort":"low"}}}}"#);
        assert_eq!(edited(&asks, &Quirks::default()), Err(Translate::ReasoningForm));
        let takes = Quirks { reasoning_object: true, ..Quirks::default() };
        assert!(edited(&asks, &takes).is_ok());

        let thought =
            r#"{"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"t"}]}"#;
        assert_eq!(edited(thought, &Quirks::default()), Err(Translate::EarlierReasoning));
        let takes = Quirks { reasoning_field: Some("reasoning_content".into()), ..Quirks::default() };
        assert!(edited(thought, &takes).is_ok());
    }

    #[test]
    fn only_headers_that_belong_to_the_body_go_along() {
        let headers: Headers = [
            ("Anthropic-Beta", "a"),
            ("anthropic-beta", "b"),
            ("anthropic-version", "2099-01-01"),
            ("x-api-key", "sk"),
            ("cookie", "c"),
            ("host", "h"),
        ]
        .into_iter()
        .collect();
        let mut http = HttpRequest::post("/messages", Vec::new());
        http.headers.push(("anthropic-version", "2023-06-01".into()));
        pass_headers(&mut http, &headers, &Quirks::default());
        assert_eq!(
            http.headers,
            [("anthropic-version", "2099-01-01".to_owned()), ("anthropic-beta", "a,b".into())]
        );
    }
}
