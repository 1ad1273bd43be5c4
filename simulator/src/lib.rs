//! A Kubernetes API and an OTLP intake on loopback, for the demo, the tests and the benchmarks.

pub mod otlp_intake;
