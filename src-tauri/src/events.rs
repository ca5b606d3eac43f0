//! What the core tells unasked, on its way to the page and to the tray.

use crate::core::Core;
use crate::tray;
use control::{Control, ControlEvent};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;
use tauri::webview::{PageLoadEvent, PageLoadPayload};
use tauri::{AppHandle, Manager as _, Webview};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Facts of low rate reach a front at most this often.
const PAUSE: Duration = Duration::from_millis(200);

/// The tray is looked at less often than the page.
const TRAY_PAUSE: Duration = Duration::from_secs(2);

/// The tasks that send events to the page; a page that is loaded anew asks again.
#[derive(Default)]
pub(crate) struct Forwarders(Mutex<Vec<JoinHandle<()>>>);

impl Forwarders {
    pub(crate) fn add(&self, task: JoinHandle<()>) {
        if let Ok(mut tasks) = self.0.lock() {
            tasks.push(task);
        }
    }

    fn end(&self) {
        if let Ok(mut tasks) = self.0.lock() {
            tasks.drain(..).for_each(|task| task.abort());
        }
    }
}

/// A page that begins to load has forgotten its channels.
pub(crate) fn on_page_load(webview: &Webview, payload: &PageLoadPayload<'_>) {
    if payload.event() == PageLoadEvent::Started {
        webview.state::<Forwarders>().end();
    }
}

/// Sends what happens from now on into `channel`, as `{ name, data }`, the same fact once per pause.
pub(crate) fn forward(control: &Control, channel: Channel<Value>) -> JoinHandle<()> {
    let mut events = control.subscribe();
    tauri::async_runtime::spawn(async move {
        while let Some(batch) = next_batch(&mut events, || tokio::time::sleep(PAUSE)).await {
            for event in batch {
                let sent = channel.send(json!({ "name": event.name(), "data": event.data() }));
                if sent.is_err() {
                    return;
                }
            }
        }
    })
}

/// Keeps the tray's line true while the core runs.
pub(crate) fn start(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let Ok(control) = app.state::<Core>().ready().await else { return };
        let mut events = control.subscribe();
        // Only its events are needed: holding the core itself would keep it from ending.
        drop::<Arc<Control>>(control);
        while next_batch(&mut events, || tokio::time::sleep(TRAY_PAUSE)).await.is_some() {
            tray::refresh(&app).await;
        }
    });
}

/// Waits for an event, then takes what followed it during `pause`; nothing twice. `None` when the core has ended.
async fn next_batch<P: Future<Output = ()>>(
    events: &mut Receiver<ControlEvent>,
    pause: impl FnOnce() -> P,
) -> Option<Vec<ControlEvent>> {
    let mut batch = Vec::new();
    loop {
        match events.recv().await {
            Ok(event) => batch.push(event),
            // What was lost are facts that the next one makes the page ask for again.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
        if !batch.is_empty() {
            break;
        }
    }
    pause().await;
    while let Ok(event) = events.try_recv() {
        if !batch.contains(&event) {
            batch.push(event);
        }
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::events::{PortChangedEvent, RequestEvent};

    #[tokio::test]
    async fn what_follows_closely_comes_together_and_once() {
        let (tell, mut events) = tokio::sync::broadcast::channel(8);
        let settled = ControlEvent::RequestSettled(RequestEvent { id: "a".to_owned() });
        let port = ControlEvent::PortChanged(PortChangedEvent { listening: None });
        for event in [&settled, &settled, &port] {
            tell.send(event.clone()).unwrap();
        }
        assert_eq!(next_batch(&mut events, || std::future::ready(())).await, Some(vec![settled, port]));
        drop(tell);
        assert_eq!(next_batch(&mut events, || std::future::ready(())).await, None);
    }
}
