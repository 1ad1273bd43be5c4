//! Exporters `otlp_http` and `otlp_grpc`: OTLP over HTTP and gRPC.
//!
//! The modules that both use:
//!
//! * `backends`, `datadog`: known backends by their address, and the settings that they refuse.
//! * `endpoint`, `headers`, `compression`, [`temporality`]: the configuration, checked without any I/O.
//! * `authentication`: the headers that an extension adds.
//! * `encode`: from data to request bodies within the backend's limits, and back.
//! * `outcome`: the outcome of a response; `failure`, `peer`: the cause of a missing one.
//! * `route`: the proxy, if any.
//! * `exporter`: from the inbox to [`collector_sending`].

pub mod answers;
mod authentication;
mod backends;
mod codes;
mod compression;
mod datadog;
mod encode;
mod endpoint;
mod exporter;
mod failure;
pub mod grpc;
mod headers;
pub mod http;
mod outcome;
mod peer;
mod route;
mod rpc;
pub mod temporality;
mod text;

use collector_http::tls;

/// The header `user-agent`.
pub(crate) const USER_AGENT: &str = concat!("kube-job-collector/", env!("CARGO_PKG_VERSION"));
