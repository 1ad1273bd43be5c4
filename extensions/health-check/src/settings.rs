//! The extension's settings.

use collector_config::Diagnostics;
use collector_http::server::Endpoint;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::response::{LIVENESS, READINESS};

/// The valid settings.
#[derive(Debug)]
pub(crate) struct HealthCheckSettings {
    /// The listen address.
    pub(crate) endpoint: Endpoint,
    /// The path of liveness, besides `/healthz`.
    pub(crate) path: String,
    /// Further accepted host names.
    pub(crate) allowed_hosts: Vec<String>,
}

/// The settings in the configuration, under the names of the Collector's extension `health_check`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthCheckKeys {
    /// The address to listen on, `host:port`. Without a host (`:13133`) it is every address of the machine.
    #[schemars(schema_with = "collector_http::server::endpoint_schema")]
    endpoint: String,
    /// The path that reports liveness, besides `/healthz`.
    #[schemars(regex(pattern = "^/"))]
    path: String,
    /// Additional host names of requests, such as `health.example.com`, `*.example.com`, or `*` for any.
    allowed_hosts: Vec<String>,
}

impl Default for HealthCheckKeys {
    fn default() -> Self {
        HealthCheckKeys {
            endpoint: "localhost:13133".into(),
            path: "/".into(),
            allowed_hosts: Vec::new(),
        }
    }
}

impl HealthCheckSettings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// All invalid settings.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let written: HealthCheckKeys = settings.read()?;
        let mut errors = Diagnostics::default();
        let endpoint = Endpoint::parse(&written.endpoint);
        if endpoint.is_none() {
            errors.push(
                settings
                    .error("endpoint", format!("found {:?}, expected host:port", written.endpoint))
                    .with_help("for example localhost:13133, or 0.0.0.0:13133 so that the kubelet can reach it"),
            );
        }
        let endpoint = endpoint.unwrap_or(Endpoint::new("localhost", 0));
        if !written.path.starts_with('/') {
            let message = format!("found {:?}, expected a path that begins with /", written.path);
            errors.push(settings.error("path", message));
        }
        if written.path == READINESS {
            let message = format!("{READINESS} reports readiness; liveness needs another path");
            errors.push(
                settings
                    .error("path", message)
                    .with_help(format!("remove it; {LIVENESS} always reports liveness")),
            );
        }
        errors.into_result(HealthCheckSettings {
            endpoint,
            allowed_hosts: written.allowed_hosts,
            path: written.path,
        })
    }
}
