//! The Kubernetes API over HTTP/1.1.

mod access;
mod continue_token;
mod discovery;
mod error;
mod event;
mod format;
mod list;
mod logs;
mod options;
mod path;
mod protobuf;
mod query;
mod response;
pub(crate) mod server;
pub(crate) mod service_proxy;
mod table;
mod watch;
mod write;

pub use access::{ApiToken, Verb};
