//! The certificates in `ca_file`: authorities that sign, and certificates that are trusted as they are.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, OtherError};
use webpki::EndEntityCert;

/// The trusted certificates.
#[derive(Clone, Debug)]
pub(crate) struct Authorities {
    verifier: Arc<WebPkiServerVerifier>,
    /// A server that presents exactly one of these is trusted, regardless of its issuer and of whether it is marked as an
    /// authority, as Go and curl do. `openssl req -x509` makes such certificates.
    exact: Arc<[CertificateDer<'static>]>,
}

impl Authorities {
    pub(crate) fn new(verifier: Arc<WebPkiServerVerifier>, trusted: Vec<CertificateDer<'static>>) -> Self {
        Authorities {
            verifier,
            exact: trusted.into(),
        }
    }

    /// # Errors
    /// Why the certificate is not accepted: rustls' own reasons, or [`NotTrusted`].
    pub(crate) fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .verifier
            .verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let why = match verified {
            Ok(verified) => return Ok(verified),
            Err(why) => why,
        };
        // webpki checks the validity period first, so a certificate that fails for one of these is neither expired nor
        // too young.
        let is_authority = is_authority_error(&why);
        let is_unknown = matches!(
            &why,
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)
        );
        if !is_authority && !is_unknown {
            return Err(why);
        }
        if self.exact.iter().any(|trusted| trusted == end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        match EndEntityCert::try_from(end_entity) {
            Ok(parsed) if parsed.issuer() == parsed.subject() => Err(NotTrusted::SelfSigned.into()),
            _ if is_authority => Err(NotTrusted::Authority.into()),
            _ => Err(why),
        }
    }
}

/// True if the certificate has a subjectAltName (2.5.29.17). Without one it is for no host: most of the system's
/// authorities have none and need not be kept twice.
pub(crate) fn may_name_a_host(certificate: &CertificateDer<'_>) -> bool {
    const SUBJECT_ALT_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x11];
    certificate
        .windows(SUBJECT_ALT_NAME.len())
        .any(|window| window == SUBJECT_ALT_NAME)
}

fn is_authority_error(why: &rustls::Error) -> bool {
    match why {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(why))) => {
            matches!(why.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// Why a certificate is not trusted, where rustls has no word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTrusted {
    /// It signed itself, and is not among the trusted ones.
    SelfSigned,
    /// It is marked as an authority's (basicConstraints CA:TRUE), and is not among the trusted ones.
    Authority,
}

impl fmt::Display for NotTrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotTrusted::SelfSigned => "a self-signed certificate that is not trusted",
            NotTrusted::Authority => "the certificate of an authority that is not trusted",
        })
    }
}

impl std::error::Error for NotTrusted {}

impl From<NotTrusted> for rustls::Error {
    fn from(why: NotTrusted) -> Self {
        CertificateError::Other(OtherError(Arc::new(why))).into()
    }
}
