//! `tls`: whom to trust, and who we are.

use std::sync::Arc;

use pipeline::ComponentError;
use pipeline::config::{Diagnostic, Secret, Settings};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::Deserialize;

/// `tls`, under the collector's names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// A PEM file with the authorities to trust instead of the system's.
    pub ca_file: String,
    /// The same as text.
    pub ca_pem: String,
    /// Whether to trust the system's authorities, too, when some are given.
    pub include_system_ca_certs_pool: bool,
    /// A PEM file with our certificate, for servers that ask for one.
    pub cert_file: String,
    /// The same as text.
    pub cert_pem: String,
    /// A PEM file with the private key of our certificate.
    pub key_file: String,
    /// The same as text.
    pub key_pem: Secret,
    /// Whether to talk to any server, whatever its certificate.
    pub insecure_skip_verify: bool,
}

impl TlsSettings {
    pub(crate) fn mistakes(&self, settings: &Settings) -> Vec<Diagnostic> {
        let mut mistakes = Vec::new();
        let mut wrong = |key: &str, message: &str| mistakes.push(settings.mistake(key, message));
        let both = [
            ("ca", !self.ca_file.is_empty() && !self.ca_pem.is_empty()),
            ("cert", !self.cert_file.is_empty() && !self.cert_pem.is_empty()),
            ("key", !self.key_file.is_empty() && !self.key_pem.is_empty()),
        ];
        for (what, both) in both {
            if both {
                wrong(
                    &format!("tls::{what}_pem"),
                    &format!("`{what}_file` and `{what}_pem` exclude each other"),
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
        mistakes
    }

    /// Reads the files and makes the client's side of TLS. `needed` is false when no endpoint uses https; then a
    /// machine without any certificates is fine.
    ///
    /// # Errors
    /// Which file cannot be read or does not hold what it should.
    pub(crate) async fn client_config(&self, needed: bool) -> Result<ClientConfig, ComponentError> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = if self.insecure_skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.roots(needed).await?)
        };
        let cert = pem("tls::cert_file", &self.cert_file, &self.cert_pem).await?;
        let key = pem("tls::key_file", &self.key_file, self.key_pem.expose()).await?;
        let mut config = match (cert, key) {
            (Some(cert), Some(key)) => {
                let chain = certificates("tls::cert_file", &cert)?;
                let key = PrivateKeyDer::from_pem_slice(&key)
                    .map_err(|why| format!("tls::key_file: no usable private key in PEM form: {why}"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|why| format!("tls: the client certificate and its key do not work together: {why}"))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    async fn roots(&self, needed: bool) -> Result<RootCertStore, ComponentError> {
        let mut roots = RootCertStore::empty();
        let own = pem("tls::ca_file", &self.ca_file, &self.ca_pem).await?;
        let given = own.is_some();
        if let Some(own) = own {
            for certificate in certificates("tls::ca_file", &own)? {
                roots
                    .add(certificate)
                    .map_err(|why| format!("tls::ca_file: a certificate cannot be used: {why}"))?;
            }
        }
        if needed && (!given || self.include_system_ca_certs_pool) {
            // SSL_CERT_FILE and SSL_CERT_DIR, or else the system's usual places.
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            if roots.is_empty() {
                let why = system.errors.first().map(|why| format!(" ({why})")).unwrap_or_default();
                return Err(format!(
                    "no certificates of trusted authorities on this machine{why}: install ca-certificates, \
                     or set SSL_CERT_FILE or tls::ca_file"
                )
                .into());
            }
        }
        Ok(roots)
    }
}

/// The content of a file or the text given in its place.
async fn pem(key: &str, file: &str, text: &str) -> Result<Option<Vec<u8>>, ComponentError> {
    if file.is_empty() {
        return Ok((!text.is_empty()).then(|| text.as_bytes().to_vec()));
    }
    match tokio::fs::read(file).await {
        Ok(content) => Ok(Some(content)),
        Err(why) => Err(format!("{key}: cannot read `{file}`: {why}").into()),
    }
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ComponentError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(format!("{key}: no certificate in PEM form (-----BEGIN CERTIFICATE-----)").into())
        }
        Ok(found) => Ok(found),
        Err(why) => Err(format!("{key}: not PEM: {why}").into()),
    }
}

/// `insecure_skip_verify`: takes any certificate, but still makes the server prove that it has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
