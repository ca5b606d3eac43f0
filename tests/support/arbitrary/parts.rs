//! Parts of messages and of answers.

use canonical::request::{Media, MediaSource, Reasoning, ToolCall};
use canonical::{Content, Part};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Says, Thoughts, arguments, base64, maybe, one_of, text, word};

fn media(source: MediaSource, media_type: Option<&str>) -> Media {
    Media { source, media_type: media_type.map(str::to_owned), name: None, detail: None }
}

pub(super) fn images(says: Says) -> Vec<BoxedStrategy<Part>> {
    let detail = maybe(says.image_detail, prop_oneof![Just("low".to_owned()), Just("high".to_owned())]);
    let with_detail = move |sources: BoxedStrategy<Media>| {
        (sources, detail.clone())
            .prop_map(|(media, detail)| Content::Image(Media { detail, ..media }).into())
            .boxed()
    };
    let mut kinds = Vec::new();
    if says.image_urls {
        let url = word().prop_map(|name| MediaSource::Url(format!("https://example.com/{name}.png")));
        kinds.push(with_detail(url.prop_map(|source| media(source, None)).boxed()));
    }
    if says.image_data {
        let kind = prop_oneof![Just("image/png"), Just("image/jpeg"), Just("image/webp")];
        let data =
            (base64(), kind).prop_map(|(data, kind)| media(MediaSource::Base64(data), Some(kind))).boxed();
        kinds.push(with_detail(data));
    }
    kinds
}

fn documents(says: Says) -> Vec<BoxedStrategy<Part>> {
    let name = if says.pdf_names {
        word().prop_map(|name| Some(format!("{name}.pdf"))).boxed()
    } else {
        Just(None).boxed()
    };
    let named = move |sources: BoxedStrategy<Media>| {
        (sources, name.clone())
            .prop_map(|(media, name)| Content::Document(Media { name, ..media }).into())
            .boxed()
    };
    let mut kinds = Vec::new();
    if says.pdfs {
        let data = base64().prop_map(|data| media(MediaSource::Base64(data), Some("application/pdf")));
        kinds.push(named(data.boxed()));
    }
    if says.pdf_urls {
        let url = word().prop_map(|name| MediaSource::Url(format!("https://example.com/{name}.pdf")));
        kinds.push(named(url.prop_map(|source| media(source, None)).boxed()));
    }
    if says.file_ids {
        let id = word().prop_map(|id| media(MediaSource::FileId(format!("file_{id}")), None));
        kinds.push(named(id.boxed()));
    }
    kinds
}

pub(super) fn user_parts(says: Says) -> BoxedStrategy<Vec<Part>> {
    let mut kinds = vec![text().prop_map(Part::text).boxed()];
    kinds.extend(images(says));
    kinds.extend(documents(says));
    if says.audio {
        let audio = base64()
            .prop_map(|data| Content::Audio(media(MediaSource::Base64(data), Some("audio/wav"))).into());
        kinds.push(audio.boxed());
    }
    vec(one_of(kinds), 1..4).boxed()
}

fn thought(says: Says) -> BoxedStrategy<Reasoning> {
    let text_of = |signed: bool| {
        (text(), if signed { base64().prop_map(Some).boxed() } else { Just(None).boxed() })
            .prop_map(|(text, signature)| Reasoning { text, signature, encrypted: None })
            .boxed()
    };
    match says.thoughts {
        Thoughts::None | Thoughts::Text => text_of(false),
        Thoughts::Signed => text_of(true),
        Thoughts::SignedOrEncrypted => {
            let sealed =
                base64().prop_map(|data| Reasoning { encrypted: Some(data), ..Reasoning::default() });
            prop_oneof![3 => text_of(true), 1 => sealed].boxed()
        }
    }
}

fn call(says: Says) -> BoxedStrategy<ToolCall> {
    (word(), arguments(), maybe(says.call_signatures, base64()))
        .prop_map(|(name, arguments, signature)| ToolCall {
            // Named in the order of the conversation once that is known.
            id: String::new(),
            name,
            arguments,
            signature,
            is_server_side: false,
        })
        .boxed()
}

/// What a model says: thoughts, text and calls.
pub(super) fn answer_parts(says: Says, with_refusals: bool) -> BoxedStrategy<Vec<Part>> {
    let said = text().prop_map(Part::text).boxed();
    let calls = call(says).prop_map(|call| Content::ToolCall(call).into()).boxed();
    let thoughts = thought(says).prop_map(|thought| Content::Reasoning(thought).into()).boxed();
    let refusal = text().prop_map(|text| Content::Refusal(text).into()).boxed();
    let thinks = says.thoughts != Thoughts::None;
    if says.free_order {
        let mut kinds = vec![said, calls];
        kinds.extend(thinks.then_some(thoughts));
        return vec(one_of(kinds), 1..5).boxed();
    }
    (maybe(thinks, thoughts), option::of(said), maybe(with_refusals, refusal), vec(calls, 0..3))
        .prop_map(|(thought, text, refusal, calls)| {
            let mut parts: Vec<Part> = thought.into_iter().chain(text).chain(refusal).collect();
            parts.extend(calls);
            if parts.iter().all(|part| matches!(part.content, Content::Reasoning(_))) {
                parts.push(Part::text("Well."));
            }
            parts
        })
        .boxed()
}
