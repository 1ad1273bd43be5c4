//! The exporters over real sockets: against an intake, scripted peers, proxies and TLS servers.
#![allow(clippy::unwrap_used, reason = "this binary contains only tests")]

mod answers;
mod authentication;
mod component;
mod contract;
mod intake;
mod proxy;
mod support;
mod tls;
mod wrong_peer;
