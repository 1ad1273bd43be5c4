//! The HTTP/1 server behind health checks and scrapes. One request a connection, GET and HEAD, no request bodies.
//!
//! Any client that reaches the port can open connections, so none is trusted:
//!
//! * a request head, a TLS handshake and a whole connection have time limits;
//! * when all slots are taken a new connection is accepted at once, and the oldest connection of the peer that holds the
//!   most is closed, so a hanging peer cannot block a probe ([`slots`]);
//! * unread responses are bounded in bytes, in the same way;
//! * a `Host` header with a foreign name is refused, so that DNS rebinding cannot make a browser read the
//!   answers ([`Hosts`]).

mod accept;
mod endpoint;
mod hosts;
mod pace;
pub mod slots;

pub use accept::{Body, HEADER_TIMEOUT, MAX_CONNECTIONS, Options, plain, serve};
pub use endpoint::Endpoint;
pub use hosts::Hosts;
