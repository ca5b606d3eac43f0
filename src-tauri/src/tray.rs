//! The tray icon: whether the port is on, what today cost, show and quit.
//!
//! Never the only way to anything, and never a reason not to start: many desktops have no tray.

use crate::core::Core;
use crate::window;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use tauri::menu::{MenuBuilder, MenuItem, MenuItemBuilder};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager as _, Wry};

const SHOW: &str = "show";
const QUIT: &str = "quit";

/// The icon and its one line of text, once a desktop has taken it.
struct Tray {
    icon: TrayIcon,
    state: MenuItem<Wry>,
}

/// Empty until the icon is shown, and for good where none can be.
#[derive(Default)]
struct Slot(OnceLock<Tray>);

/// Puts the icon up if this desktop shows such icons; looks for that beside the main thread,
/// because a session bus may take its time.
pub(crate) fn start(app: &AppHandle) {
    app.manage(Slot::default());
    let app = app.clone();
    std::thread::spawn(move || {
        if !has_host() {
            tracing::info!("this desktop shows no tray icons; closing the window quits");
            return;
        }
        let shown = app.clone();
        if let Err(error) = app.run_on_main_thread(move || put_up(&shown)) {
            tracing::warn!(%error, "no tray icon");
        }
    });
}

/// Whether an icon is there to bring a hidden window back.
pub(crate) fn is_shown(app: &AppHandle) -> bool {
    app.try_state::<Slot>().is_some_and(|slot| slot.0.get().is_some())
}

/// Asks the core how things are and writes it into the menu.
pub(crate) async fn refresh(app: &AppHandle) {
    if !is_shown(app) {
        return;
    }
    let Ok(status) = app.state::<Core>().call("app.status", Value::Null).await else { return };
    let line = describe(&status);
    if let Some(tray) = app.state::<Slot>().0.get() {
        // The tooltip is not drawn on Linux, where the menu's first line is the place.
        let written = tray.state.set_text(&line).and_then(|()| tray.icon.set_tooltip(Some(&line)));
        if let Err(error) = written {
            tracing::debug!(%error, "the tray was not updated");
        }
    }
}

fn put_up(app: &AppHandle) {
    // The library that draws the icon is loaded at run time, and its binding panics where it is missing.
    match catch_unwind(AssertUnwindSafe(|| build(app))) {
        Ok(Ok(tray)) => {
            app.state::<Slot>().0.set(tray).ok();
            let app = app.clone();
            tauri::async_runtime::spawn(async move { refresh(&app).await });
        }
        Ok(Err(error)) => tracing::warn!(%error, "no tray icon"),
        Err(_) => tracing::warn!("no tray icon: libayatana-appindicator3 is missing"),
    }
}

fn build(app: &AppHandle) -> tauri::Result<Tray> {
    let state = MenuItemBuilder::new("Starting").enabled(false).build(app)?;
    let menu = MenuBuilder::new(app)
        .item(&state)
        .separator()
        .text(SHOW, "Show Signalbox")
        .text(QUIT, "Quit")
        .build()?;
    let mut icon = TrayIconBuilder::new().menu(&menu).on_menu_event(|app, event| match event.id().as_ref() {
        SHOW => window::show(app),
        QUIT => app.exit(0),
        _ => {}
    });
    if let Some(image) = app.default_window_icon() {
        icon = icon.icon(image.clone());
    }
    Ok(Tray { icon: icon.build(app)?, state })
}

/// `Port 127.0.0.1:8790 on, $0.12 today`.
fn describe(status: &Value) -> String {
    let port = match status["port"]["listening"].as_str() {
        Some(address) => format!("Port {address} on"),
        None => "Port off".to_owned(),
    };
    let today = &status["today"];
    match today["cost_picousd"].as_i64() {
        Some(cost) if today["unknown_count"].as_u64().unwrap_or(0) > 0 => {
            format!("{port}, at least {} today", dollars(cost))
        }
        Some(cost) => format!("{port}, {} today", dollars(cost)),
        None => port,
    }
}

/// Whole cents, as sums are shown in the window. 1 USD = 10¹² pico-dollars.
fn dollars(pico: i64) -> String {
    const CENT: i64 = 10_000_000_000;
    let cents = pico.saturating_add(CENT / 2) / CENT;
    format!("${}.{:02}", cents / 100, cents % 100)
}

/// Whether something in this session shows tray icons. An icon that nobody shows would let
/// the window hide with no way back.
#[cfg(target_os = "linux")]
fn has_host() -> bool {
    let asked = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let proxy = zbus::blocking::fdo::DBusProxy::new(&bus)?;
        let name = zbus::names::BusName::try_from("org.kde.StatusNotifierWatcher")?;
        Ok(proxy.name_has_owner(name)?)
    };
    asked().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn has_host() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::{describe, dollars};
    use serde_json::json;

    #[test]
    fn the_line_says_the_port_and_the_days_cost() {
        let on = json!({ "port": { "listening": "127.0.0.1:8790" }, "today": { "cost_picousd": 123_456_789_012_i64, "unknown_count": 0 } });
        assert_eq!(describe(&on), "Port 127.0.0.1:8790 on, $0.12 today");
        let off =
            json!({ "port": { "listening": null }, "today": { "cost_picousd": 0, "unknown_count": 2 } });
        assert_eq!(describe(&off), "Port off, at least $0.00 today");
    }

    #[test]
    fn cents_are_rounded_to_the_nearest() {
        assert_eq!(dollars(4_999_999_999), "$0.00");
        assert_eq!(dollars(5_000_000_000), "$0.01");
        assert_eq!(dollars(12_340_000_000_000), "$12.34");
    }
}
