//! The system's own keychain. Touches whatever Secret Service the session has, so it runs only
//! where `SIGNALBOX_TEST_KEYCHAIN` names what that one is: `open`, `locked` or `absent`.

use gateway::SecretError;
use gateway::secrets::SecretStore;
use gateway::secrets::keychain::Keychain;
use gateway::{KeySource, KeyState, KeychainState, Secret, Secrets};

const USER: &str = "signalbox-test-of-the-keychain";

#[tokio::test]
async fn the_keychain_is_told_open_from_locked_from_absent() {
    let Ok(expected) = std::env::var("SIGNALBOX_TEST_KEYCHAIN") else {
        eprintln!("skipped: SIGNALBOX_TEST_KEYCHAIN is not set");
        return;
    };
    let secrets = Secrets::new(std::sync::Arc::new(Keychain));
    let status = secrets.keychain_status().await;
    let key = secrets.key_status(USER, &KeySource::Keychain).await;
    match expected.as_str() {
        "open" => {
            assert_eq!(status.state, KeychainState::Available, "{:?}", status.message);
            assert_eq!(key.state, KeyState::Missing);
            let stored = tokio::task::spawn_blocking(|| {
                Keychain.set(USER, &Secret::new("sk-first").unwrap()).unwrap();
                Keychain.set(USER, &Secret::new("sk-second").unwrap()).unwrap();
                let stored = Keychain.get(USER).unwrap().is_some();
                Keychain.delete(USER).unwrap();
                Keychain.delete(USER).unwrap();
                (stored, Keychain.get(USER).unwrap().is_some())
            });
            assert_eq!(stored.await.unwrap(), (true, false));
        }
        "locked" => {
            assert_eq!((status.state, key.state), (KeychainState::Locked, KeyState::Locked));
            assert!(status.message.unwrap().contains("env:NAME"));
        }
        "absent" => {
            assert_eq!((status.state, key.state), (KeychainState::Absent, KeyState::Absent));
            let error = secrets.set(USER, Secret::new("sk-first").unwrap()).await.unwrap_err();
            assert!(matches!(&error, SecretError::Absent(_)), "{error:?}");
            assert!(error.to_string().contains("env:NAME"), "{error}");
        }
        other => panic!("SIGNALBOX_TEST_KEYCHAIN is open, locked or absent, not {other}"),
    }
}
