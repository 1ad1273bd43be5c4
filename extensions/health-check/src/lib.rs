//! Extension health_check: liveness and readiness over HTTP.
