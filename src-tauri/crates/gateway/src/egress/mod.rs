//! The way out: connections to providers, and how a request shows who pays.

pub(crate) mod client;
mod google;
pub(crate) mod sign;
mod sigv4;

pub(crate) use client::{Egress, Probed};
