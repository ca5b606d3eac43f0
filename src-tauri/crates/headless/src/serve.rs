//! `signalboxd serve`: the daemon, from its first line to its last.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use control::{Control, ControlErrorKind, Options};
use serde_json::json;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;
use crate::guard::{Guard, Token};
use crate::{surface, ui};

/// What is logged, unless this variable says otherwise. Never content, never secrets.
const LOG_VARIABLE: &str = "SIGNALBOX_LOG";
const LOG_DEFAULT: &str = "warn,gateway=info,control=info,ledger=info";

pub(crate) fn run(args: ServeArgs) -> Result<ExitCode> {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log file or a journal wants no colours.
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("No threads")?;
    let result = runtime.block_on(serve(args));
    // A keychain that hangs must not keep a daemon that was told to end.
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

async fn serve(args: ServeArgs) -> Result<()> {
    for address in args.listen.iter().chain([&args.control_listen]) {
        if !address.ip().is_loopback() {
            bail!("{address} is not a loopback address. Signalbox serves this machine only.");
        }
    }
    let page = ui::find(args.ui.as_deref())?;
    let token = Token::new()?;
    // Heard from the beginning, so that a signal during the start is not lost.
    let stop = stop_signal()?;
    let data_dir = args.data.path()?;
    let options =
        Options { config_path: args.config.path()?, data_dir: data_dir.clone(), listen: args.listen };
    let control = match Control::start(options).await {
        Ok(control) => control,
        Err(error) if error.kind == ControlErrorKind::AlreadyRunning => {
            bail!("Signalbox is already running with the data folder {}. {error}", data_dir.display())
        }
        Err(error) if error.kind == ControlErrorKind::LedgerCorrupt => {
            bail!(
                "{error}\nTo move it aside and begin a new one: signalboxd repair --data-dir DIR --move-aside"
            )
        }
        Err(error) => return Err(error.into()),
    };
    let served = serve_until(&control, args.control_listen, token, page, stop).await;
    control.shutdown().await;
    served
}

/// Serves until `stop` resolves, or says why it cannot.
async fn serve_until(
    control: &Arc<Control>,
    control_listen: SocketAddr,
    token: Token,
    page: Option<std::path::PathBuf>,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    // Nobody sits before a daemon to mend these while it runs on without providers or a port.
    match control.gateway().config_error() {
        Some(error) if !error.leaves_settings() => bail!("{error}"),
        // Said in the log already; the other providers serve.
        _ => {}
    }
    let port = control.port();
    let Some(listening) = port.listening else {
        bail!("{}", port.error.unwrap_or_else(|| format!("Nothing listens on {}.", port.requested)));
    };
    let listener = TcpListener::bind(control_listen)
        .await
        .with_context(|| format!("The control surface cannot listen on {control_listen}"))?;
    let address = listener.local_addr().context("The control surface has no address")?;
    let ready = json!({
        "listening": listening,
        "url": format!("http://{listening}"),
        "control": format!("http://{address}/#token={}", token.expose()),
        "control_listening": address.to_string(),
        "token": token.expose(),
        "ui": page.is_some(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let router = surface::router(Arc::clone(control), Arc::new(Guard::new(token, address)), page);
    println!("{ready}");
    // Not graceful: a page that listens for events never hangs up. What answers there still write
    // is saved by `Control::shutdown`, which comes next.
    tokio::select! {
        result = axum::serve(listener, router) => result.context("The control surface ended"),
        () = stop => Ok(()),
    }
}

/// Resolves when the system or the user asks us to end.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be heard")?;
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a way to hear it there is nothing to wait for but a kill.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
