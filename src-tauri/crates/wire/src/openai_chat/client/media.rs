//! Media in the words that OpenAI's two APIs share.

use canonical::Error;
use canonical::request::{Media, MediaSource};
use serde_json::{Value, json};

/// A data URL's content, or the URL itself.
pub(crate) fn media_of_url(url: &str) -> Media {
    let (source, media_type) = match split_data_url(url) {
        Some((media_type, data)) => (MediaSource::Base64(data.to_owned()), Some(media_type.to_owned())),
        None => (MediaSource::Url(url.to_owned()), None),
    };
    Media { source, media_type: media_type.filter(|name| !name.is_empty()), name: None, detail: None }
}

/// `data:TYPE;base64,DATA` → type and data.
fn split_data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, data))
}

/// A medium's data as a URL; `default_type` where nobody said what it is.
pub(crate) fn data_url(media: &Media, default_type: &str, data: &str) -> String {
    let media_type = media.media_type.as_deref().unwrap_or(default_type);
    format!("data:{media_type};base64,{data}")
}

/// A sound as a part of a message; refused where it is not its data.
pub(crate) fn audio(media: &Media) -> Result<Value, Error> {
    let MediaSource::Base64(data) = &media.source else {
        return Err(Error::caller("Audio cannot be sent to this provider by reference: send its data."));
    };
    let format = match media.media_type.as_deref().unwrap_or("audio/wav") {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        other => other.rsplit('/').next().unwrap_or(other),
    };
    Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
}
