//! Which way a request takes to one target: the client's own bytes where the provider speaks the
//! same family and nothing needs to be changed in them ([`wire::verbatim`]), or through the
//! canonical form. Decided anew for each target of a plan.

use std::fmt;

use bytes::Bytes;
use canonical::{ChatRequest, Error};
use wire::notes;
use wire::verbatim::{self, Said, TapOptions, Translate};
use wire::{Headers, HttpRequest, Profile, TargetContext};

use crate::providers::Provider;

/// The way that an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Through the canonical form.
    Translated,
    /// Unchanged but for named places.
    Verbatim,
}

impl Lane {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Verbatim => "verbatim",
        }
    }
}

/// What a client sent, as it sent it.
#[derive(Clone)]
pub struct Inbound {
    /// The family that the client speaks.
    pub family: &'static str,
    /// The body, as the dialect read it.
    pub body: Bytes,
    /// Those that [`verbatim::passed`] picks; never a key.
    pub headers: Headers,
    /// The parameters of the URL, but for a key.
    pub query: Vec<(String, String)>,
}

impl fmt::Debug for Inbound {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("family", &self.family)
            .field("size_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A request that is ready to be signed.
pub(super) struct Outgoing {
    pub http: HttpRequest,
    /// How the answer is passed on, where its bytes are.
    pub tap: Option<TapOptions>,
}

/// The request for one target, in the lane that it takes.
pub(super) fn choose(
    request: &ChatRequest,
    inbound: Result<&Inbound, Translate>,
    provider: &Provider,
    target: &TargetContext<'_>,
) -> Result<Outgoing, Error> {
    let (protocol, family) = (provider.protocol.id(), provider.protocol.id().as_str());
    let profile = Profile::of(provider.profiles.iter(), protocol, target.model, request);
    let shaped = profile.shape(protocol, request);
    let said = inbound.map(|inbound| Said {
        family: inbound.family,
        body: &inbound.body,
        headers: &inbound.headers,
        query: &inbound.query,
    });
    let said = said.and_then(|said| {
        let leaves = said.family == family && shaped.needs_translation(family);
        if leaves { Err(Translate::Profile) } else { Ok(said) }
    });
    match said.and_then(|said| verbatim::request(&said, request, provider.protocol, target)) {
        Ok(mut verbatim) => {
            let made = shaped.edit(family, true, &mut verbatim.http.body);
            verbatim.edits.extend(made.into_iter().map(verbatim::Edit::Profile));
            verbatim.http.notes.extend(shaped.notes());
            let edits = EditNames(&verbatim.edits);
            tracing::debug!(provider = provider.id, lane = Lane::Verbatim.as_str(), %edits, "a lane was chosen");
            Ok(Outgoing { http: verbatim.http, tap: Some(verbatim.tap) })
        }
        Err(reason) => {
            let reason = reason.as_str();
            let mut http = wire::encode_request(provider.protocol, &shaped.request, target)?;
            let made = shaped.edit(family, false, &mut http.body);
            http.notes.extend(shaped.notes());
            tracing::debug!(
                provider = provider.id,
                lane = Lane::Translated.as_str(),
                reason,
                notes = notes::summary(&http.notes),
                profile = made.join(","),
                "a lane was chosen"
            );
            Ok(Outgoing { http, tap: None })
        }
    }
}

struct EditNames<'a>(&'a [verbatim::Edit]);

impl fmt::Display for EditNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, edit) in self.0.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma}{edit}")?;
        }
        Ok(())
    }
}
