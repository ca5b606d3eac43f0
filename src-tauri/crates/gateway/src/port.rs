//! The port as a state: listening somewhere, or not and why.

pub mod owner;

use std::net::{Ipv4Addr, SocketAddr};

use serde::Serialize;
use tokio::net::TcpListener;

/// Addresses tried, counting up from the one that is taken, for one to propose.
const FREE_PORTS_TRIED: u16 = 20;

/// How the port stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PortState {
    /// The address that the settings (or the command line) ask for.
    pub requested: String,
    /// Where clients reach us; `None` while nothing listens.
    pub listening: Option<SocketAddr>,
    /// Why the requested address is not open, for people. An address that was open before goes on
    /// beside it.
    pub error: Option<String>,
    /// An address that was free a moment ago, where the requested one is taken.
    pub suggestion: Option<String>,
}

/// Another program has the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortTaken {
    pub address: SocketAddr,
    /// Who has it, where the system lets us see (`nginx (pid 812)`).
    pub owner: Option<String>,
    pub suggestion: Option<SocketAddr>,
}

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let owner = self.owner.as_deref().unwrap_or("another program");
        write!(f, "The address {} is already used by {owner}.", self.address)?;
        match self.suggestion {
            Some(free) => write!(f, " Stop it, or listen on {free} instead."),
            None => f.write_str(" Stop it, or choose another port."),
        }
    }
}

impl PortState {
    pub(crate) fn listening(requested: SocketAddr, listening: SocketAddr) -> Self {
        Self { requested: requested.to_string(), listening: Some(listening), error: None, suggestion: None }
    }

    pub(crate) fn failed(requested: SocketAddr, error: &std::io::Error) -> Self {
        let requested_text = requested.to_string();
        if error.kind() != std::io::ErrorKind::AddrInUse {
            let error = format!("The address {requested} cannot be listened on: {error}.");
            return Self { requested: requested_text, listening: None, error: Some(error), suggestion: None };
        }
        let suggestion = free_neighbour(requested);
        let taken = PortTaken { address: requested, owner: owner::of_listener(requested), suggestion };
        Self {
            requested: requested_text,
            listening: None,
            error: Some(taken.to_string()),
            suggestion: suggestion.map(|free| free.to_string()),
        }
    }
}

/// Opens `address` for listening.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// A free port near `taken`, so that the address stays recognisable; else any free one.
fn free_neighbour(taken: SocketAddr) -> Option<SocketAddr> {
    let is_free = |address: &SocketAddr| std::net::TcpListener::bind(address).is_ok();
    let nearby = (1..=FREE_PORTS_TRIED)
        .filter_map(|step| taken.port().checked_add(step))
        .map(|port| SocketAddr::new(taken.ip(), port))
        .find(is_free);
    nearby.or_else(|| {
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_explained_with_its_owner_and_a_free_neighbour() {
        let holder = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = holder.local_addr().unwrap();
        let error = bind(address).await.unwrap_err();
        let state = PortState::failed(address, &error);
        assert_eq!(state.listening, None);
        let message = state.error.unwrap();
        assert!(message.contains(&address.to_string()), "{message}");
        if cfg!(target_os = "linux") {
            assert!(message.contains(&format!("pid {}", std::process::id())), "{message}");
        }
        let free: SocketAddr = state.suggestion.unwrap().parse().unwrap();
        assert_ne!(free, address);
        bind(free).await.unwrap();
    }
}
