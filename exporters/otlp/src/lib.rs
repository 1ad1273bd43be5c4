//! Exporters `otlp_http` and `otlp_grpc`: OTLP over HTTP and gRPC.
//!
//! What they share:
//!
//! * `backends`, `datadog`: what is known about backends by their address, and the settings that do not fit.
//! * `endpoint`, `headers`, `compression`, [`temporality`]: what the configuration says, checked without any I/O.
//! * `client_tls`: certificates, and reading them again; a crate of its own.
//! * `authentication`: the headers that an extension adds.
//! * `encode`: from data to request bodies within the backend's limits, and back.
//! * `meaning`: what an answer means, whatever the transport; `failure`, `peer`: what the lack of one means.
//! * `route`: the proxy, if there is one.
//! * `exporter`: from what comes in to [`collector_sending`].

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
mod meaning;
mod peer;
mod route;
mod rpc;
pub mod temporality;
mod text;

use collector_http::tls;

/// Names this program to the backend.
pub(crate) const USER_AGENT: &str = concat!("kube-job-collector/", env!("CARGO_PKG_VERSION"));
