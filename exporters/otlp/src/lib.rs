//! Exporter `otlp_http`: OTLP over HTTP, protobuf bodies.
//!
//! * [`settings`], `endpoint`, `headers`, `compression`: what the configuration says, checked without any I/O.
//! * `tls`, `client`: the connection.
//! * `encode`: from data to request bodies within the backend's limits, and back.
//! * `response`, `failure`: what an answer, or the lack of one, means; pure.
//! * `destination`: one attempt to send; queue and retries are [`pipeline::sending`].

mod client;
mod compression;
mod destination;
mod encode;
mod endpoint;
mod exporter;
mod failure;
mod headers;
mod response;
pub mod settings;
mod text;
mod tls;

pub use exporter::factory;
