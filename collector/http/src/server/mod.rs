//! The HTTP/1 server of health checks and scrapes. A connection carries one request without a body; axum routes it.
//!
//! Any client that reaches the port can open connections, so none is trusted:
//!
//! * a request head, a TLS handshake and a whole connection have time limits;
//! * when all slots are taken, a new connection is still accepted, and the oldest connection of the peer with the most
//!   connections is closed, so that a hanging peer cannot block a probe (`slots`);
//! * unread responses are bounded in bytes, in the same way;
//! * a request with a foreign name in its `Host` header is rejected, so that DNS rebinding cannot make a browser read
//!   responses (`hosts`).

mod accept;
#[cfg(test)]
mod client_tests;
mod endpoint;
mod hosts;
mod slots;
mod tls;

pub use accept::{MAX_CONNECTIONS, Server, Service};
pub use endpoint::{Endpoint, endpoint_schema};
pub use tls::ServerTls;
