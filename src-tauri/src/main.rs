//! The desktop: one window, a tray icon, and the core in the same process.
//!
//! The only code that knows Tauri. It carries messages between the page and the control
//! surface and decides nothing that a person could want to decide elsewhere.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod args;
mod commands;
mod core;
mod events;
mod graphics;
mod instance;
mod link;
mod notice;
mod tray;
mod window;

use args::Args;
use clap::Parser as _;
use core::Core;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tauri::{Manager as _, RunEvent};

fn main() -> ExitCode {
    let args = Args::parse();
    // Before any thread or toolkit exists: it may start this program again with other variables.
    graphics::prepare(args.safe_graphics);
    init_logging();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signalbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    need_display()?;
    let paths = args.paths()?;
    let context = tauri::generate_context!();
    let builder = tauri::Builder::default()
        .plugin(instance::plugin(&paths.data_dir))
        .manage(events::Forwarders::default())
        .invoke_handler(tauri::generate_handler![
            commands::control,
            commands::watch,
            commands::events,
            commands::open_link
        ])
        .on_page_load(events::on_page_load)
        .on_window_event(window::on_event);

    let app = builder
        .setup(move |app| {
            // After the plugins, so that a second copy has left before it touches the ledger.
            app.manage(Core::start(app.handle(), paths.clone()));
            window::open(app.handle(), &paths.data_dir)?;
            tray::start(app.handle());
            events::start(app.handle());
            instance::quit_on_signal(app.handle());
            Ok(())
        })
        .build(context)?;

    app.run(|app, event| {
        if let RunEvent::Exit = event {
            tauri::async_runtime::block_on(app.state::<Core>().stop());
        }
    });
    Ok(())
}

/// An error for people where there is no screen; the toolkit itself would panic.
#[cfg(target_os = "linux")]
fn need_display() -> anyhow::Result<()> {
    use anyhow::Context as _;
    gtk::init().context("no display can be opened; `signalboxd serve` needs none")
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "Linux can fail here.")]
fn need_display() -> anyhow::Result<()> {
    Ok(())
}

/// Logs go to standard error, `info` and above unless `RUST_LOG` says otherwise.
fn init_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .init();
}
