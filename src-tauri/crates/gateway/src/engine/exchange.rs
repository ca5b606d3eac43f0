//! One request to a provider and its whole answer, for what is no conversation: embeddings, counts.

use canonical::{Error, ErrorKind, Origin};
use wire::{Headers, HttpRequest, errors};

use super::attempt::{limits_of, request_id_of};
use super::seen::Seen;
use crate::core::Core;
use crate::egress::client;
use crate::models;
use crate::providers::{Provider, Snapshot};

/// The answer's headers and body; an error where the provider says one, in whatever way.
pub(super) async fn exchange(
    core: &Core,
    snapshot: &Snapshot,
    provider: &Provider,
    request: HttpRequest,
    seen: &mut Seen,
) -> Result<(Headers, Vec<u8>), Error> {
    let key = core.secrets.key(&provider.id, &provider.key).await;
    seen.key = key.map_err(|error| models::key_error(&error))?;
    seen.was_sent = true;
    let sent = snapshot.egress.send(provider, request, seen.key.as_ref(), false).await;
    let response = sent.inspect_err(|failure| seen.was_sent = failure.was_sent).map_err(|it| it.error)?;
    let (status, headers) = (response.status().as_u16(), client::headers_of(&response));
    seen.http_status = Some(status);
    seen.provider_request_id = request_id_of(&headers);
    seen.limits = limits_of(core, &headers);
    let is_good = (200..300).contains(&status);
    let limit = if is_good { client::MAX_BODY_BYTES } else { client::MAX_ERROR_BYTES };
    let body = match client::read_body(response, limit).await {
        Ok(body) => body,
        // A body that cannot be read leaves the status to speak.
        Err(_) if !is_good => Vec::new(),
        Err(Some(error)) => return Err(client::network_error(provider, &error)),
        Err(None) => {
            let message = format!("The provider's answer is longer than {} MiB.", limit >> 20);
            return Err(Error::new(ErrorKind::InvalidResponse, Origin::Provider, message));
        }
    };
    if !is_good {
        if status == 401 {
            // The key may have been replaced outside of Signalbox.
            core.secrets.forget(&provider.id);
        }
        let mut error = provider.protocol.decode_error(status, &headers, &body);
        if error.retry_after.is_none() {
            error.retry_after = errors::retry_after_at(&headers, core.clock.system());
        }
        return Err(error);
    }
    match errors::in_band(provider.protocol, status, &headers, &body) {
        Some(error) => Err(error),
        None => Ok((headers, body)),
    }
}
