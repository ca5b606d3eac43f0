//! A client's key → the client. Keys are looked up by their hash and compared in constant time;
//! what the ledger says is remembered for a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use canonical::{Error, ErrorKind, Origin};
use ledger::{Client, Ledger, Record};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::Clock;
use crate::clients::key_hash;

/// How long a key that another process revoked may still be taken. One that we revoke ourselves
/// is forgotten at once, and one that we do not know yet is looked up every time.
const MEMORY: Duration = Duration::from_secs(2);

/// How often a client's last use is written down.
const SEEN_EVERY_MS: i64 = 60_000;

/// The clients as the ledger had them a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    clients: Arc<Vec<Client>>,
    read_at: Option<Instant>,
    /// When each client's use was last written down.
    seen: std::collections::HashMap<String, i64>,
}

impl Keyring {
    /// The name of the client whose key `headers` show.
    ///
    /// # Errors
    /// `Authentication` in the caller's name where there is none or a wrong one.
    pub(super) async fn client(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        ledger: &Ledger,
        clock: Clock,
    ) -> Result<String, Error> {
        let key = shown_key(headers, uri);
        let Some(key) = key else {
            return Err(refused(
                "This port needs a client key: send \"Authorization: Bearer sb-…\" (or x-api-key, or x-goog-api-key). Make one in Settings, or with \
                 `signalboxd client add NAME`.",
            ));
        };
        let hash = key_hash(&key);
        let now = clock.now();
        if let Some(client) = self.remembered(&hash, now) {
            return Ok(self.used(client, ledger, clock));
        }
        let reader = ledger.clone();
        let read = tokio::task::spawn_blocking(move || reader.clients()).await;
        let clients = match read {
            Ok(Ok(clients)) => Arc::new(clients),
            Ok(Err(error)) => return Err(unreadable(&error.to_string())),
            Err(_) => return Err(unreadable("the reader was stopped")),
        };
        {
            let mut known = self.lock();
            known.clients = Arc::clone(&clients);
            known.read_at = Some(now);
        }
        match find(&clients, &hash) {
            Some(client) => Ok(self.used(client, ledger, clock)),
            None => {
                Err(refused("The client key is wrong or was revoked. Settings shows which keys there are."))
            }
        }
    }

    /// The next key is looked up in the ledger.
    pub(crate) fn forget(&self) {
        self.lock().read_at = None;
    }

    fn remembered(&self, hash: &str, now: Instant) -> Option<Client> {
        let known = self.lock();
        known.read_at.filter(|at| now.duration_since(*at) < MEMORY)?;
        find(&known.clients, hash)
    }

    fn used(&self, client: Client, ledger: &Ledger, clock: Clock) -> String {
        let at = clock.now_ms();
        let mut known = self.lock();
        if known.seen.get(&client.id).is_none_or(|last| at - last >= SEEN_EVERY_MS) {
            known.seen.insert(client.id.clone(), at);
            ledger.write(Record::ClientSeen { id: client.id, at });
        }
        client.name
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key as each vendor's SDK shows it: a bearer token, Anthropic's and Google's headers, or
/// Google's query parameter.
fn shown_key(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || {
        let (scheme, key) = text(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    };
    let query = || {
        let pair =
            |pair: &'_ str| Some(pair.split_once('=').filter(|(name, _)| *name == "key")?.1.to_owned());
        uri.query()?.split('&').find_map(pair)
    };
    let header = bearer().or_else(|| text("x-api-key")).or_else(|| text("x-goog-api-key"));
    header.map(str::to_owned).or_else(query).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())
}

/// Looks at every client whatever it finds, so that time tells nothing of how close a guess was.
fn find(clients: &[Client], hash: &str) -> Option<Client> {
    let mut found = None;
    for client in clients {
        if bool::from(client.key_hash.as_bytes().ct_eq(hash.as_bytes())) {
            found = Some(client.clone());
        }
    }
    found
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Authentication, Origin::Caller, message).with_code("invalid_api_key")
}

fn unreadable(detail: &str) -> Error {
    Error::new(ErrorKind::Internal, Origin::Gateway, format!("The client keys could not be read: {detail}."))
}
