//! HTTPS: the server's certificate.

use std::path::PathBuf;
use std::sync::Arc;

use collector_config::{Diagnostic, Settings};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

/// The settings `tls` of a server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["cert_file", "key_file"]))]
pub struct ServerTls {
    /// A PEM file with the certificates, that of the server first.
    #[schemars(length(min = 1))]
    cert_file: PathBuf,
    /// A PEM file with the key of the certificate.
    #[schemars(length(min = 1))]
    key_file: PathBuf,
}

impl ServerTls {
    /// The errors in these settings, which are `settings::tls`.
    pub fn problems<'a>(&'a self, settings: &'a Settings) -> impl Iterator<Item = Diagnostic> + 'a {
        let files = [("tls::cert_file", &self.cert_file), ("tls::key_file", &self.key_file)];
        let missing = files.into_iter().filter(|(_, path)| path.as_os_str().is_empty());
        missing.map(|(key, _)| {
            let text = "is missing: a server needs both its certificate and its key, each a PEM file";
            settings.error(key, text)
        })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// An unusable file; the text names it and the setting.
    pub fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let (cert, key) = (self.cert_file.display(), self.key_file.display());
        let chain: Vec<_> = CertificateDer::pem_file_iter(&self.cert_file)
            .and_then(Iterator::collect)
            .map_err(|error| format!("cannot read the certificate {cert}: {error}; see tls::cert_file"))?;
        if chain.is_empty() {
            return Err(format!("{cert} holds no certificate; expected PEM; see tls::cert_file"));
        }
        let secret = PrivateKeyDer::from_pem_file(&self.key_file)
            .map_err(|error| format!("cannot read the key {key}: {error}; see tls::key_file"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| format!("the certificate {cert} and the key {key} do not match: {error}"))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
