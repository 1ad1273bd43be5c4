//! Callbacks of rustls during a handshake: verification of the server and the client's own certificate.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use crate::tls::authorities::Authorities;

/// How a server's certificate is judged. That the server has the key of its certificate is proved in any case.
#[derive(Clone, Debug)]
pub(crate) enum Judge {
    /// By who signed it, or by comparison with the certificates that are trusted as they are.
    Authorities(Authorities),
    /// `insecure_skip_verify`: every certificate is accepted.
    Anything,
    /// There are no authorities, since no endpoint uses TLS.
    Nothing,
}

/// The verifier for the next handshake.
#[derive(Debug)]
pub(crate) struct Trust {
    judge: RwLock<Judge>,
    /// The name that the certificate must be for, if it is not the endpoint's.
    name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    pub(crate) fn new(judge: Judge, name: Option<ServerName<'static>>, provider: Arc<CryptoProvider>) -> Self {
        Trust {
            judge: RwLock::new(judge),
            name,
            provider,
        }
    }

    pub(crate) fn replace(&self, judge: Judge) {
        *self.judge.write().unwrap_or_else(PoisonError::into_inner) = judge;
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judge = self.judge.read().unwrap_or_else(PoisonError::into_inner).clone();
        match judge {
            Judge::Authorities(authorities) => {
                let name = self.name.as_ref().unwrap_or(server_name);
                authorities.verify(end_entity, intermediates, name, ocsp_response, now)
            }
            Judge::Anything => Ok(ServerCertVerified::assertion()),
            Judge::Nothing => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The client certificate for the next handshake with a server that requests one.
#[derive(Debug)]
pub(crate) struct Identity(RwLock<Option<Arc<CertifiedKey>>>);

impl Identity {
    pub(crate) fn new(key: Option<Arc<CertifiedKey>>) -> Self {
        Identity(RwLock::new(key))
    }

    pub(crate) fn replace(&self, key: Option<Arc<CertifiedKey>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    fn get(&self) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.get()
    }

    fn has_certs(&self) -> bool {
        self.get().is_some()
    }
}
