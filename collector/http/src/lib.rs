//! HTTP for components: a server for probes and scrapes, and the TLS settings of clients.

pub mod server;
pub mod tls;
