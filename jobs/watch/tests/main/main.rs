//! The client of the API server against the simulator, over real sockets, and the two forms of objects.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod batches;
mod credentials;
mod negotiation;
mod protobuf;
mod proxy;
mod service_proxy;
