//! Providers: the vendors that can be added, those that are, their keys and models.
//!
//! A key comes in and goes to the keychain; none ever comes out.

use std::time::Duration;

use futures_util::future::join_all;
use gateway::config::edit::ProviderEntry;
use gateway::{ConfigEdit, Provider, Secret, SecretError};

use crate::commands::models::model_view;
use crate::control::Control;
use crate::error::{ControlError, Result, view};
use crate::types::{
    ControlErrorKind, Empty, IdArgs, KeySource, KeyState, ModelView, ProviderKind, ProviderTest,
    ProviderVariable, ProviderView, SaveProviderArgs, SetKeyArgs,
};

/// How long a list of providers waits for the keychain.
const KEY_PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn kinds(control: &Control, _: Empty) -> Result<Vec<ProviderKind>> {
    let kinds = control.gateway().kinds();
    Ok(kinds
        .iter()
        .filter(|kind| !kind.is_in_process)
        .map(|kind| ProviderKind {
            kind: kind.id.clone(),
            name: kind.name.clone(),
            protocol: kind.protocol.as_str().to_owned(),
            base_url: kind.base_url.clone().unwrap_or_default(),
            base_url_example: kind.base_url_example.clone(),
            key_env: kind.key_env().map(str::to_owned),
            needs_key: kind.needs_key(),
            keys_url: kind.keys_url.clone(),
            docs: kind.docs.clone(),
            variables: kind.variables.iter().map(variable).collect(),
        })
        .collect())
}

fn variable(variable: &catalog::Variable) -> ProviderVariable {
    ProviderVariable {
        name: variable.name.clone(),
        label: variable.label.clone(),
        default: variable.default.clone(),
        example: variable.example.clone(),
        is_required: variable.is_required(),
    }
}

pub(crate) async fn list(control: &Control, _: Empty) -> Result<Vec<ProviderView>> {
    let providers = control.gateway().providers();
    Ok(join_all(providers.iter().map(|provider| provider_view(control, provider))).await)
}

/// Looks for servers on this machine now, and says who is there.
pub(crate) async fn look(control: &Control, _: Empty) -> Result<Vec<ProviderView>> {
    if !control.gateway().looks_for_servers() {
        let message =
            "Looking for servers on this machine is turned off in the settings (discovery.enabled).";
        return Err(ControlError::invalid(message));
    }
    control.gateway().look_for_servers().await;
    list(control, Empty {}).await
}

async fn provider_view(control: &Control, provider: &Provider) -> ProviderView {
    let (key_source, key_env) = match &provider.key {
        gateway::KeySource::None => (KeySource::None, None),
        gateway::KeySource::Keychain => (KeySource::Keychain, None),
        gateway::KeySource::Env(name) => (KeySource::Env, Some(name.clone())),
    };
    let (key_state, key_message) = key_state(control, &provider.id).await;
    ProviderView {
        id: provider.id.clone(),
        kind: provider.kind.id.clone(),
        name: provider.kind.name.clone(),
        protocol: provider.protocol.id().as_str().to_owned(),
        base_url: provider.base_url.clone(),
        key_source,
        key_env,
        key_state,
        key_message,
        is_rehearsal: provider.is_rehearsal,
        is_discovered: provider.is_discovered,
        own_base_url: provider.own_base_url.clone(),
        variables: provider.variables.clone(),
        model_count: control.gateway().known_models(&provider.id).map(|models| models.len() as u64),
    }
}

/// How a provider stands with its key, as far as it is known within [`KEY_PATIENCE`].
pub(crate) async fn key_state(control: &Control, provider: &str) -> (KeyState, Option<String>) {
    let asked = control.gateway().key_status(provider);
    let Ok(status) = tokio::time::timeout(KEY_PATIENCE, asked).await else {
        return (KeyState::Error, Some("The keychain has not answered yet.".to_owned()));
    };
    let Some(status) = status else { return (KeyState::Missing, None) };
    let state = match status.state {
        gateway::KeyState::Present => KeyState::Present,
        gateway::KeyState::Missing => KeyState::Missing,
        gateway::KeyState::Locked => KeyState::Locked,
        gateway::KeyState::Absent => KeyState::Absent,
        gateway::KeyState::Error => KeyState::Error,
        gateway::KeyState::NotNeeded => KeyState::NotNeeded,
    };
    (state, status.message)
}

pub(crate) async fn save(control: &Control, args: SaveProviderArgs) -> Result<()> {
    let gateway = control.gateway();
    let secret = match args.secret.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(_) if args.key != "keychain" => {
            let message = "A key was given, but the provider's key does not come from the keychain.";
            return Err(ControlError::invalid(message));
        }
        Some(secret) => Some(Secret::new(secret)?),
    };
    if secret.is_some() {
        refuse_without_keychain(control).await?;
    }
    let entry = ProviderEntry {
        id: args.id.trim().to_owned(),
        kind: args.kind,
        base_url: filled(args.base_url),
        protocol: filled(args.protocol),
        key: Some(args.key),
        variables: args
            .variables
            .into_iter()
            .filter_map(|(name, value)| Some((name, filled(Some(value))?)))
            .collect(),
    };
    let id = entry.id.clone();
    let had = gateway.provider(&id).map(|provider| provider.key.clone());
    let is_kept = entry.key.as_deref() == Some("keychain");
    gateway.edit_config(ConfigEdit::PutProvider(entry)).await?;
    // The user says here that the key comes from elsewhere: the old one is of no more use. An edit
    // of the file says less, and leaves it.
    if had == Some(gateway::KeySource::Keychain) && !is_kept {
        take_from_keychain(control, &id, "saved; its old").await?;
    }
    if let Some(secret) = secret {
        gateway.set_key(&id, secret).await.map_err(|error| {
            let error = ControlError::from(error);
            ControlError::new(error.kind, format!("The provider is saved, its key is not. {}", error.message))
        })?;
    }
    Ok(())
}

/// Nothing is saved where its key could not be: the message names the alternatives. Asked anew,
/// for the user may have unlocked it a moment ago.
async fn refuse_without_keychain(control: &Control) -> Result<()> {
    let status = control.gateway().keychain_status().await;
    let kind = match status.state {
        gateway::KeychainState::Available => return Ok(()),
        gateway::KeychainState::Locked => ControlErrorKind::KeychainLocked,
        gateway::KeychainState::Absent => ControlErrorKind::KeychainAbsent,
        gateway::KeychainState::Error => ControlErrorKind::KeychainError,
    };
    Err(ControlError::new(kind, status.message.unwrap_or_else(|| "The keychain cannot be used.".to_owned())))
}

/// `None` for a field that was left empty.
fn filled(field: Option<String>) -> Option<String> {
    field.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(crate) async fn remove(control: &Control, args: IdArgs) -> Result<()> {
    let gateway = control.gateway();
    let provider = find(control, &args.id)?;
    // The settings first: they refuse while a route needs the provider, and then its key stays.
    gateway.edit_config(ConfigEdit::RemoveProvider { id: args.id.clone() }).await?;
    if provider.key != gateway::KeySource::Keychain {
        return Ok(());
    }
    take_from_keychain(control, &args.id, "removed; its").await
}

/// `done` is what an error begins with: what was done before it.
async fn take_from_keychain(control: &Control, id: &str, done: &str) -> Result<()> {
    match control.gateway().delete_key(id).await {
        // Where there is no keychain there is no key in it.
        Ok(()) | Err(SecretError::Absent(_)) => Ok(()),
        Err(error) => {
            let error = ControlError::from(error);
            let message = format!("The provider is {done} key is still in the keychain. {}", error.message);
            Err(ControlError::new(error.kind, message))
        }
    }
}

pub(crate) async fn set_key(control: &Control, args: SetKeyArgs) -> Result<()> {
    let provider = find(control, &args.id)?;
    if provider.key != gateway::KeySource::Keychain {
        let message =
            format!("The key of \"{}\" does not come from the keychain; change that first.", args.id);
        return Err(ControlError::invalid(message));
    }
    Ok(control.gateway().set_key(&args.id, Secret::new(&args.secret)?).await?)
}

pub(crate) async fn test(control: &Control, args: IdArgs) -> Result<ProviderTest> {
    find(control, &args.id)?;
    let test = control.gateway().test_provider(&args.id).await;
    Ok(ProviderTest {
        ok: test.result.is_ok(),
        latency_ms: Some(test.latency_ms),
        models: test.result.as_ref().ok().map(|count| *count as u64),
        error: test.result.as_ref().err().map(view),
    })
}

pub(crate) async fn models(control: &Control, args: IdArgs) -> Result<Vec<ModelView>> {
    find(control, &args.id)?;
    let models = control.gateway().list_models(&args.id).await?;
    Ok(models.into_iter().map(model_view).collect())
}

fn find(control: &Control, id: &str) -> Result<std::sync::Arc<Provider>> {
    control.gateway().provider(id).ok_or_else(|| ControlError::not_found("provider", id))
}
