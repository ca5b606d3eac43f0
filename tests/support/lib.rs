//! What the integration tests share: the recorded corpus, the laws every stream obeys, upstreams
//! on loopback that replay records byte for byte.

pub mod arbitrary;
pub mod chat_client;
pub mod conformance;
pub mod corpus;
pub mod daemon;
pub mod damage;
pub mod damaged;
pub mod damaged_cases;
pub mod faulty;
pub mod judge;
pub mod laws;
pub mod quirks;
pub mod reading;
pub mod replay;
pub mod scripted;
pub mod upstream;
