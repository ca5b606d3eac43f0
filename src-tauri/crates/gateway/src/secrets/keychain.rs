//! The system's keychain: the Secret Service on Linux, Keychain on macOS, Credential Manager on
//! Windows. Service `signalbox`, user = the provider's id.

use super::{Secret, SecretError, SecretStore};

/// Under which all keys stand in the keychain.
const SERVICE: &str = "signalbox";

/// The system's keychain. Holds no connection: each call looks anew, so a service that is started,
/// restarted or unlocked later is found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keychain;

impl SecretStore for Keychain {
    fn status(&self) -> Result<(), SecretError> {
        platform::status()
    }

    fn get(&self, user: &str) -> Result<Option<Secret>, SecretError> {
        // A locked Secret Service answers "no such entry", as if the key had never been stored.
        platform::status()?;
        match platform::get(SERVICE, user) {
            Ok(value) => Secret::new(&zeroize::Zeroizing::new(value)).map(Some),
            Err(Failure::NoEntry) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn set(&self, user: &str, secret: &Secret) -> Result<(), SecretError> {
        platform::set(SERVICE, user, secret.expose()).map_err(|error| match platform::status() {
            Err(reason) => reason,
            Ok(()) => failed(&error),
        })
    }

    fn delete(&self, user: &str) -> Result<(), SecretError> {
        platform::status()?;
        match platform::delete(SERVICE, user) {
            Ok(()) | Err(Failure::NoEntry) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn failed(error: &Failure) -> SecretError {
    match error {
        Failure::NoStorageAccess(_) => SecretError::Locked,
        // Some errors carry the stored bytes; only those that cannot are quoted.
        Failure::PlatformFailure(source) => SecretError::Failed(source.to_string()),
        Failure::BadEncoding(_) | Failure::BadDataFormat(..) => {
            SecretError::Failed("what it holds for this provider is no text".to_owned())
        }
        Failure::Ambiguous(_) => {
            SecretError::Failed("it holds several keys for this provider; remove all but one".to_owned())
        }
        _ => SecretError::Failed("it refused the request".to_owned()),
    }
}

use platform::Failure;

#[cfg(target_os = "linux")]
mod platform {
    use keyring_core::api::CredentialStoreApi;
    use zbus::zvariant::OwnedObjectPath;
    use zbus_secret_service_keyring_store::Store;

    pub(super) use keyring_core::Error as Failure;

    use super::SecretError;

    const BUS_NAME: &str = "org.freedesktop.secrets";

    /// Asks the Secret Service whether its default collection is there and open
    /// (<https://specifications.freedesktop.org/secret-service/>).
    pub(super) fn status() -> Result<(), SecretError> {
        let bus = zbus::blocking::Connection::session()
            .map_err(|_| SecretError::Absent("no D-Bus session is running".to_owned()))?;
        let service = zbus::blocking::Proxy::new(
            &bus,
            BUS_NAME,
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service",
        )
        .map_err(|error| SecretError::Failed(error.to_string()))?;
        let collection: OwnedObjectPath = service.call("ReadAlias", &("default",)).map_err(absent)?;
        if collection.as_str() == "/" {
            return Err(SecretError::Locked);
        }
        let collection =
            zbus::blocking::Proxy::new(&bus, BUS_NAME, collection, "org.freedesktop.Secret.Collection")
                .map_err(|error| SecretError::Failed(error.to_string()))?;
        let is_locked: bool = collection.get_property("Locked").map_err(absent)?;
        if is_locked { Err(SecretError::Locked) } else { Ok(()) }
    }

    fn absent(error: zbus::Error) -> SecretError {
        match error {
            zbus::Error::MethodError(name, ..)
                if name.ends_with("ServiceUnknown") || name.contains(".Spawn.") =>
            {
                SecretError::Absent("no Secret Service is running".to_owned())
            }
            error => SecretError::Failed(error.to_string()),
        }
    }

    fn entry(service: &str, user: &str) -> Result<keyring_core::Entry, Failure> {
        Store::new()?.build(service, user, None)
    }

    pub(super) fn get(service: &str, user: &str) -> Result<String, Failure> {
        entry(service, user)?.get_password()
    }

    pub(super) fn set(service: &str, user: &str, value: &str) -> Result<(), Failure> {
        entry(service, user)?.set_password(value)
    }

    pub(super) fn delete(service: &str, user: &str) -> Result<(), Failure> {
        entry(service, user)?.delete_credential()
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) use keyring::Error as Failure;

    use super::SecretError;

    pub(super) fn status() -> Result<(), SecretError> {
        keyring::Entry::store_status()
            .as_ref()
            .map(|()| ())
            .map_err(|error| SecretError::Absent(error.to_string()))
    }

    pub(super) fn get(service: &str, user: &str) -> Result<String, Failure> {
        keyring::Entry::new(service, user)?.get_password()
    }

    pub(super) fn set(service: &str, user: &str, value: &str) -> Result<(), Failure> {
        keyring::Entry::new(service, user)?.set_password(value)
    }

    pub(super) fn delete(service: &str, user: &str) -> Result<(), Failure> {
        keyring::Entry::new(service, user)?.delete_credential()
    }
}
