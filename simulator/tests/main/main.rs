//! The simulator over real sockets, against recordings of a real cluster and its API server.
#![allow(clippy::unwrap_used)]

mod access;
mod client;
mod events;
mod faults;
mod lists;
mod playing;
mod scenarios;
mod service_proxy;
mod streams;
mod transcripts;
mod watches;
mod writes;
