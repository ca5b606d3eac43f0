//! The way out: connections to providers, and how a request shows who pays.

pub(crate) mod client;
pub(crate) mod sign;

pub(crate) use client::Egress;
