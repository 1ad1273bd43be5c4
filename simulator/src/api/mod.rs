//! The Kubernetes API over HTTP/1.1.

mod access;
mod continue_token;
mod discovery;
mod format;
mod list;
mod logs;
mod managed_fields;
mod query;
pub(crate) mod server;
mod status;
mod table;
mod watch;
mod write;

pub use access::{Rule, Token, Verb};
pub(crate) use status::Failure;
