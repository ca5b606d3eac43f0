//! The port's server: one task per listening address.

use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::routes::{self, Port};

/// How long requests under way may go on after the port stopped listening.
const GRACE: Duration = Duration::from_secs(5);

/// A listening port. Dropping it stops it without grace.
#[derive(Debug)]
pub(crate) struct Server {
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on `listener` until it is stopped.
    pub(crate) fn start(listener: TcpListener, port: Port) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let app = routes::router(port);
        // Each word goes out when it is there, not when the one before it was acknowledged. A socket
        // that refuses the option works as well, only slower.
        let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
        let task = tokio::spawn(async move {
            let server = axum::serve(listener, app).with_graceful_shutdown(stopping.cancelled_owned());
            if let Err(error) = server.await {
                tracing::error!(%address, %error, "the port stopped");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Stops listening at once; requests under way have [`GRACE`] to end.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(GRACE, &mut self.task).await;
    }

    /// Stops listening at once; requests under way go on until they end.
    pub(crate) fn retire(mut self) {
        self.stop.cancel();
        // The task now ends by itself.
        self.task = tokio::spawn(async {});
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}
