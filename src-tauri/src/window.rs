//! The one window: where it opens, what closing it means, and what happens if it stays blank.

use crate::notice::{self, Answer, Question};
use crate::{graphics, tray};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindow, WebviewWindowBuilder, Window, WindowEvent};

/// Also the name in `capabilities/main.json`.
const LABEL: &str = "main";

/// The size the design is drawn at.
const FIRST_SIZE: (f64, f64) = (1280.0, 800.0);

/// The smallest size at which every screen can still be used.
const SMALLEST: (f64, f64) = (640.0, 480.0);

/// How long a page may take to ask for anything before it counts as blank.
const PATIENCE: Duration = Duration::from_secs(8);

/// Size and state of the window at the last close, in the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Geometry {
    width: f64,
    height: f64,
    maximized: bool,
}

/// What the window knows about itself while it lives.
struct WindowState {
    geometry_file: PathBuf,
    page_is_alive: AtomicBool,
}

/// Opens the window at the size of the last time. The page fills in when the core answers.
pub(crate) fn open(app: &AppHandle, data_dir: &Path) -> tauri::Result<()> {
    let geometry_file = data_dir.join("window.json");
    let last = read(&geometry_file);
    app.manage(WindowState { geometry_file, page_is_alive: AtomicBool::new(false) });
    let (width, height) = last.map_or(FIRST_SIZE, |last| (last.width, last.height));
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Signalbox")
        .inner_size(width, height)
        .min_inner_size(SMALLEST.0, SMALLEST.1)
        .maximized(last.is_some_and(|last| last.maximized))
        // What WebKit keeps stays in the data folder too, so that `--data-dir` is the whole of it.
        .data_directory(data_dir.join("webview"))
        // Addresses are opened by `open_link`; the page itself never goes anywhere.
        .on_navigation(|url| {
            matches!(url.scheme(), "tauri" | "about") || url.host_str() == Some("tauri.localhost")
        })
        .build()?;
    enable_preedit(&window);
    watch_heartbeat(app.clone());
    Ok(())
}

/// Brings the window to the front, from the tray or hidden behind others.
pub(crate) fn show(app: &AppHandle) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    let shown = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window could not be shown");
    }
}

/// Lets the page begin again, after what it was told at first has changed.
pub(crate) fn reload(app: &AppHandle) {
    if let Some(Err(error)) = app.get_webview_window(LABEL).map(|window| window.reload()) {
        tracing::warn!(%error, "the page was not reloaded");
    }
}

/// Closing hides the window where a tray icon can bring it back, and quits where none can.
pub(crate) fn on_event(window: &Window, event: &WindowEvent) {
    let WindowEvent::CloseRequested { api, .. } = event else { return };
    remember(window);
    if tray::is_shown(window.app_handle()) {
        api.prevent_close();
        if let Err(error) = window.hide() {
            tracing::warn!(%error, "the window could not be hidden");
        }
    }
}

/// The page asked for something, so it runs: nothing is offered any more.
pub(crate) fn heard_from_page(app: &AppHandle) {
    if let Some(state) = app.try_state::<WindowState>() {
        state.page_is_alive.store(true, Ordering::Relaxed);
    }
}

/// Offers safe graphics if the page has not asked for anything after a while.
fn watch_heartbeat(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        let alive =
            app.try_state::<WindowState>().is_some_and(|state| state.page_is_alive.load(Ordering::Relaxed));
        if alive {
            return;
        }
        tracing::warn!("the page has not answered for {} s", PATIENCE.as_secs());
        if !graphics::are_chosen() {
            offer_safe_graphics(&app);
        }
    });
}

fn offer_safe_graphics(app: &AppHandle) {
    let asked = app.clone();
    let question = Question {
        title: "The window is not drawing",
        text: "This often is the graphics driver. Signalbox can start again without its fast path; \
               `signalbox --safe-graphics` does so every time.",
        yes: "Start again with safe graphics",
        no: "Keep waiting",
    };
    notice::ask(app, &question, move |answer| {
        if answer == Answer::Yes {
            graphics::restart_safely(&asked);
        }
    });
}

/// Shows what an input method is composing inside the text field. Wry turns this off for all
/// pages (wry #1136), which leaves Chinese, Japanese and Korean unwritable on Linux (tauri #8264).
#[cfg(target_os = "linux")]
fn enable_preedit(window: &WebviewWindow) {
    let enabled = window.with_webview(|webview| {
        use webkit2gtk::{InputMethodContextExt as _, WebViewExt as _};
        if let Some(context) = webview.inner().input_method_context() {
            context.set_enable_preedit(true);
        }
    });
    if let Err(error) = enabled {
        tracing::warn!(%error, "input methods will not show what they compose");
    }
}

#[cfg(not(target_os = "linux"))]
fn enable_preedit(_: &WebviewWindow) {}

fn remember(window: &Window) {
    let Some(state) = window.app_handle().try_state::<WindowState>() else { return };
    let saved = geometry(window).and_then(|geometry| {
        let text = serde_json::to_string(&geometry)?;
        Ok(std::fs::write(&state.geometry_file, text)?)
    });
    if let Err(error) = saved {
        tracing::warn!(%error, "the window's size was not saved");
    }
}

fn geometry(window: &Window) -> anyhow::Result<Geometry> {
    let size = window.inner_size()?.to_logical::<f64>(window.scale_factor()?);
    Ok(Geometry { width: size.width, height: size.height, maximized: window.is_maximized()? })
}

/// The size of the last time, unless the file is missing or says something no screen has.
fn read(file: &Path) -> Option<Geometry> {
    let geometry: Geometry = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let plausible = |length: f64, least: f64| (least..=16_384.0).contains(&length);
    (plausible(geometry.width, SMALLEST.0) && plausible(geometry.height, SMALLEST.1)).then_some(geometry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_no_screen_has_is_not_restored() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("window.json");
        assert_eq!(read(&file), None);
        std::fs::write(&file, r#"{"width":1000.0,"height":700.0,"maximized":true}"#).unwrap();
        assert_eq!(read(&file), Some(Geometry { width: 1000.0, height: 700.0, maximized: true }));
        for bad in [r#"{"width":0.0,"height":700.0,"maximized":false}"#, "{}", "not json"] {
            std::fs::write(&file, bad).unwrap();
            assert_eq!(read(&file), None, "{bad}");
        }
    }
}
