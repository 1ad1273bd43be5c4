//! The client of the API server against the simulator, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic, also in its helpers")]

mod batches;
mod credentials;
mod proxy;
mod service_proxy;
