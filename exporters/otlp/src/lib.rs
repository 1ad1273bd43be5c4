//! Exporter otlp_http: OTLP over HTTP.
