//! Certificates and keys, from files or texts.

use std::io::Read;
use std::sync::Arc;

use collector_config::{Diagnostic, Settings};
use collector_runtime::ComponentError;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::tls::authorities::{Authorities, may_name_a_host};
use crate::tls::peers::Judge;
use crate::tls::settings::TlsSettings;

/// The contents of the files.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Material {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    /// True if the system's authorities are to be trusted, too.
    system: bool,
}

impl Material {
    /// # Errors
    /// Which file cannot be read.
    pub(crate) async fn read(settings: &TlsSettings, needed: bool) -> Result<Material, ComponentError> {
        let ca = pem("tls::ca_file", &settings.ca_file, &settings.ca_pem).await?;
        Ok(Material {
            system: needed && (ca.is_none() || settings.include_system_ca_certs_pool),
            ca,
            cert: pem("tls::cert_file", &settings.cert_file, &settings.cert_pem).await?,
            key: pem("tls::key_file", &settings.key_file, settings.key_pem.expose()).await?,
        })
    }

    /// The verifier of the server's certificate.
    ///
    /// # Errors
    /// If the CA certificates are unusable.
    pub(crate) fn judge(
        &self,
        settings: &TlsSettings,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Judge, ComponentError> {
        if settings.insecure_skip_verify {
            return Ok(Judge::Anything);
        }
        let (roots, trusted) = self.roots()?;
        if roots.is_empty() {
            return Ok(Judge::Nothing);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        let verifier = verifier.map_err(|why| format!("tls::ca_file: cannot use the CA certificates: {why}"))?;
        Ok(Judge::Authorities(Authorities::new(verifier, trusted)))
    }

    /// The trusted certificates, for the verifier and as they are.
    fn roots(&self) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), ComponentError> {
        let mut roots = RootCertStore::empty();
        let mut trusted = Vec::new();
        if let Some(own) = &self.ca {
            for certificate in certificates("tls::ca_file", own)? {
                trusted.push(certificate.clone());
                roots
                    .add(certificate)
                    .map_err(|why| format!("tls::ca_file: cannot use a certificate: {why}"))?;
            }
        }
        if self.system {
            // SSL_CERT_FILE and SSL_CERT_DIR, or else the system's usual places.
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs.iter().cloned());
            trusted.extend(system.certs.into_iter().filter(may_name_a_host));
            if roots.is_empty() {
                let why = system.errors.first().map(|why| format!(" ({why})")).unwrap_or_default();
                return Err(format!(
                    "no trusted CA certificates on this machine{why}: install ca-certificates, \
                     or set SSL_CERT_FILE or tls::ca_file"
                )
                .into());
            }
        }
        Ok((roots, trusted))
    }

    /// The client certificate and its key.
    ///
    /// # Errors
    /// If the certificate or its key is unusable.
    pub(crate) fn identity(&self, provider: &CryptoProvider) -> Result<Option<Arc<CertifiedKey>>, ComponentError> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(None);
        };
        let chain = certificates("tls::cert_file", cert)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|why| format!("tls::key_file: no usable private key in PEM form: {why}"))?;
        let identity = CertifiedKey::from_der(chain, key, provider)
            .map_err(|why| format!("tls: the client certificate and its key do not work together: {why}"))?;
        Ok(Some(Arc::new(identity)))
    }
}

/// Problems of certificates and keys that can be detected without starting. Missing files are warnings: where
/// a configuration is checked they need not be.
pub(crate) fn check(tls: &TlsSettings, settings: &Settings) -> Vec<Diagnostic> {
    let key = |pem: &[u8]| match PrivateKeyDer::from_pem_slice(pem) {
        Ok(_) => Ok(()),
        Err(_) => Err("no usable private key in PEM form (-----BEGIN PRIVATE KEY-----)".to_owned()),
    };
    let certificate = |pem: &[u8]| match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(()),
        _ => Err("no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()),
    };
    let parts: [(&str, &str, &str, &Check); 3] = [
        ("ca", &tls.ca_file, &tls.ca_pem, &certificate),
        ("cert", &tls.cert_file, &tls.cert_pem, &certificate),
        ("key", &tls.key_file, tls.key_pem.expose(), &key),
    ];
    let mut wrong = Vec::new();
    for (part, file, text, check) in parts {
        if !text.is_empty()
            && let Err(why) = check(text.as_bytes())
        {
            wrong.push(settings.error(&format!("tls::{part}_pem"), format!("found {why}")));
        }
        if file.is_empty() {
            continue;
        }
        let path = format!("tls::{part}_file");
        match read_regular(file) {
            Ok(None) => {}
            Ok(Some(content)) => {
                if let Err(why) = check(&content) {
                    wrong.push(settings.error(&path, format!("found {why} in `{file}`")));
                }
            }
            Err(why) => settings.warn(
                settings
                    .error(&path, format!("cannot read `{file}` here: {why}"))
                    .with_help("the collector does not start without it; ignore this where it is not deployed"),
            ),
        }
    }
    wrong
}

type Check<'a> = dyn Fn(&[u8]) -> Result<(), String> + 'a;

/// The content of a file; `None` if it may have no end, such as a device.
fn read_regular(file: &str) -> std::io::Result<Option<Vec<u8>>> {
    const MOST: u64 = 4 << 20;
    if !std::fs::metadata(file)?.is_file() {
        return Ok(None);
    }
    let mut content = Vec::new();
    std::fs::File::open(file)?.take(MOST).read_to_end(&mut content)?;
    Ok(Some(content))
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
