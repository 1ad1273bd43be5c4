//! The keys of `tls`, under the collector's names.

use collector_config::{Diagnostic, Duration, Secret, Settings};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::tls::material;

/// `tls`, under the collector's names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// Connects without TLS if the address has no scheme. An address that begins with `https://` contradicts it.
    pub insecure: bool,
    /// A PEM file with the authorities to trust instead of the system's. A certificate in it is also accepted as the
    /// server's own.
    pub ca_file: String,
    /// The authorities to trust as PEM text, instead of `ca_file`.
    #[schemars(regex(pattern = r"^$|-----BEGIN "))]
    pub ca_pem: String,
    /// Trusts the system's authorities in addition to the configured ones.
    pub include_system_ca_certs_pool: bool,
    /// A PEM file with the client certificate, for servers that request one. It needs `key_file` or `key_pem`.
    pub cert_file: String,
    /// The client certificate as PEM text, instead of `cert_file`.
    pub cert_pem: String,
    /// A PEM file with the private key of the client certificate.
    pub key_file: String,
    /// The private key as PEM text, instead of `key_file`. It is a secret.
    pub key_pem: Secret,
    /// Accepts any server certificate. Anyone between the collector and the server can then read and change the data.
    pub insecure_skip_verify: bool,
    /// The oldest version of TLS: `1.2` (default) or `1.3`.
    #[schemars(extend("enum" = ["1.2", "1.3", ""]))]
    pub min_version: String,
    /// The newest version of TLS: `1.2` or `1.3` (default).
    #[schemars(extend("enum" = ["1.2", "1.3", ""]))]
    pub max_version: String,
    /// How often certificates and keys are read again from their files; 0: never. New connections use the new files.
    pub reload_interval: Duration,
    /// The name that the server's certificate must be valid for, instead of the endpoint's.
    pub server_name_override: String,
}

impl TlsSettings {
    /// Their problems, with positions under `tls` of the component's settings.
    pub fn errors(&self, settings: &Settings) -> Vec<Diagnostic> {
        let mut errors = Vec::new();
        let mut wrong = |key: &str, message: &str| errors.push(settings.error(key, message));
        let both = [
            ("ca", !self.ca_file.is_empty() && !self.ca_pem.is_empty()),
            ("cert", !self.cert_file.is_empty() && !self.cert_pem.is_empty()),
            ("key", !self.key_file.is_empty() && !self.key_pem.is_empty()),
        ];
        for (what, both) in both {
            if both {
                wrong(
                    &format!("tls::{what}_pem"),
                    &format!("`{what}_file` and `{what}_pem` are mutually exclusive"),
                );
            }
        }
        let cert = !self.cert_file.is_empty() || !self.cert_pem.is_empty();
        let key = !self.key_file.is_empty() || !self.key_pem.is_empty();
        if cert && !key {
            wrong(
                "tls::key_file",
                "a certificate needs its private key: set `key_file` or `key_pem`",
            );
        }
        if key && !cert {
            wrong(
                "tls::cert_file",
                "a private key needs its certificate: set `cert_file` or `cert_pem`",
            );
        }
        for (key, version) in [("min_version", &self.min_version), ("max_version", &self.max_version)] {
            match version.as_str() {
                "" | "1.2" | "1.3" => {}
                "1.0" | "1.1" => wrong(
                    &format!("tls::{key}"),
                    &format!("TLS {version} is broken and not supported, expected 1.2 or 1.3"),
                ),
                other => wrong(
                    &format!("tls::{key}"),
                    &format!("unknown version `{other}`, expected 1.2 or 1.3"),
                ),
            }
        }
        if self.min_version == "1.3" && self.max_version == "1.2" {
            wrong("tls::max_version", "`max_version` must not be less than `min_version`");
        }
        if !self.server_name_override.is_empty() && self.expected_name().is_none() {
            wrong(
                "tls::server_name_override",
                "not a server name, expected a DNS name or an IP address",
            );
        }
        if errors.is_empty() {
            errors.extend(material::check(self, settings));
        }
        errors
    }

    pub(crate) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let mut versions = Vec::with_capacity(2);
        if self.max_version != "1.2" {
            versions.push(&TLS13);
        }
        if self.min_version != "1.3" {
            versions.push(&TLS12);
        }
        versions
    }

    /// The name of `server_name_override`.
    pub fn expected_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.server_name_override.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(yaml: &str) -> Vec<String> {
        let settings = Settings::from_yaml("tls: {}").unwrap();
        let tls: TlsSettings = Settings::from_yaml(yaml).unwrap().read().unwrap();
        let errors = tls.errors(&settings).into_iter();
        errors
            .map(|error| format!("{}: {}", error.path, error.message))
            .collect()
    }

    #[test]
    fn detects_invalid_pem_before_startup() {
        let folder = std::env::temp_dir().join(format!("client-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("ca.pem");
        std::fs::write(&file, "not pem").unwrap();
        for (yaml, expected) in [
            (
                "{ca_pem: not pem}".to_owned(),
                "tls::ca_pem: found no certificate in PEM form",
            ),
            (
                "{cert_pem: x, key_pem: hunter2}".to_owned(),
                "tls::key_pem: found no usable private key",
            ),
            (
                format!("{{ca_file: '{}'}}", file.display()),
                "tls::ca_file: found no certificate in PEM form",
            ),
        ] {
            let found = errors(&yaml);
            assert!(
                found.iter().any(|found| found.starts_with(expected)),
                "{yaml}: {found:?}"
            );
            assert!(!found.iter().any(|found| found.contains("hunter2")), "{found:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        let text = format!("{{tls: {{ca_file: '{}'}}}}", file.display());
        let settings = Settings::from_yaml(&text).unwrap();
        let tls = TlsSettings {
            ca_file: file.display().to_string(),
            ..TlsSettings::default()
        };
        assert_eq!(tls.errors(&settings), [], "a missing file is not an error");
        let warnings = settings.warnings().to_string();
        assert!(
            warnings.contains("tls::ca_file: cannot read `") && warnings.contains("here: No such file"),
            "{warnings}"
        );
    }

    #[test]
    fn slips_are_named() {
        for (yaml, expected) in [
            (
                "{ca_file: a, ca_pem: b}",
                "tls::ca_pem: `ca_file` and `ca_pem` are mutually exclusive",
            ),
            ("{cert_file: a}", "tls::key_file: a certificate needs its private key"),
            ("{key_file: a}", "tls::cert_file: a private key needs"),
            ("{min_version: '1.1'}", "tls::min_version: TLS 1.1 is broken"),
            ("{max_version: 'TLS13'}", "tls::max_version: unknown version `TLS13`"),
            (
                "{min_version: '1.3', max_version: '1.2'}",
                "tls::max_version: `max_version` must not be less",
            ),
            (
                "{server_name_override: 'a b'}",
                "tls::server_name_override: not a server name",
            ),
        ] {
            let found = errors(yaml);
            assert_eq!(found.len(), 1, "{yaml}: {found:?}");
            assert!(found[0].starts_with(expected), "{yaml}: {found:?}");
        }
        let fine =
            "{insecure: false, min_version: '1.2', max_version: '1.3', reload_interval: 1h, server_name_override: h}";
        assert_eq!(errors(fine), [""; 0]);
    }

    #[test]
    fn supports_versions_between_min_and_max() {
        for (yaml, expected) in [
            ("{}", &[&TLS13, &TLS12][..]),
            ("{min_version: '1.3'}", &[&TLS13]),
            ("{max_version: '1.2'}", &[&TLS12]),
        ] {
            let tls: TlsSettings = Settings::from_yaml(yaml).unwrap().read().unwrap();
            assert_eq!(tls.versions(), expected, "{yaml}");
        }
    }
}
