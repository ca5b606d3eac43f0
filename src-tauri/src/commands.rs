//! What the page may call: the control surface by name, and the two streams.

use crate::core::Core;
use crate::events::Forwarders;
use crate::{events, link, window};
use control::{ControlError, WatchItem};
use serde_json::Value;
use tauri::ipc::Channel;
use tauri::{AppHandle, State};

/// Runs one control command; what it refuses comes back as `{ kind, message }`.
#[tauri::command]
pub(crate) async fn control(
    app: AppHandle,
    core: State<'_, Core>,
    name: String,
    args: Value,
) -> Result<Value, ControlError> {
    window::heard_from_page(&app);
    core.call(&name, args).await
}

/// Follows one answer into `channel` until its end item; an error if it was lost before.
#[tauri::command]
pub(crate) async fn watch(
    core: State<'_, Core>,
    message_id: String,
    since: u64,
    channel: Channel<WatchItem>,
) -> Result<(), ControlError> {
    core.watch(&message_id, since, |item| channel.send(item).is_ok()).await
}

/// Sends every event of the core into `channel` from now on, until the page is loaded anew.
#[tauri::command]
pub(crate) async fn events(
    core: State<'_, Core>,
    forwarders: State<'_, Forwarders>,
    channel: Channel<Value>,
) -> Result<(), ControlError> {
    let control = core.ready().await?;
    forwarders.add(events::forward(&control, channel));
    Ok(())
}

/// Opens a web or mail address outside the window.
#[tauri::command]
pub(crate) fn open_link(url: &str) -> Result<(), ControlError> {
    link::open(url).map_err(ControlError::invalid)
}
