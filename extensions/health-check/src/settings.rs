//! The extension's settings.

use pipeline::config::Diagnostics;
use serde::Deserialize;

use crate::answer::{LIVENESS, READINESS};

/// The extension's settings, under the names of the collector's extension of the same type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Host and port to listen on. Without a host (`:13133`) on every IPv4 address.
    pub endpoint: String,
    /// Where liveness is asked for, besides `/healthz`.
    pub path: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            endpoint: "localhost:13133".into(),
            path: "/".into(),
        }
    }
}

impl Settings {
    /// Reads and checks them.
    pub fn read(settings: &pipeline::config::Settings) -> Result<Self, Diagnostics> {
        let read: Settings = settings.read()?;
        let mut mistakes = Diagnostics::default();
        let port = read.endpoint.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(_))) {
            mistakes.push(
                settings
                    .mistake("endpoint", format!("found {:?}, expected host:port", read.endpoint))
                    .with_help("for example localhost:13133, or 0.0.0.0:13133 so that the kubelet can reach it"),
            );
        }
        if !read.path.starts_with('/') {
            let message = format!("found {:?}, expected a path that begins with /", read.path);
            mistakes.push(settings.mistake("path", message));
        }
        if read.path == READINESS {
            let message = format!("{READINESS} tells readiness; liveness needs another path");
            mistakes.push(
                settings
                    .mistake("path", message)
                    .with_help(format!("leave it out: {LIVENESS} always tells liveness")),
            );
        }
        mistakes.into_result(read)
    }
}

/// The address to bind for an endpoint.
pub fn address(endpoint: &str) -> String {
    match endpoint.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => endpoint.to_owned(),
    }
}
