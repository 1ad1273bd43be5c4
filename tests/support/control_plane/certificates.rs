//! The certificates of an API server, from an authority of their own: clients refuse the self-signed one that the API
//! server makes, because it is an authority itself.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// Files in PEM.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The authority that clients trust.
    pub(crate) authority: PathBuf,
    /// Its content.
    pub(crate) authority_pem: String,
    /// The certificate of the API server.
    pub(crate) server: PathBuf,
    /// Its key.
    pub(crate) server_key: PathBuf,
    /// The public key by which tokens of service accounts are verified.
    pub(crate) tokens: PathBuf,
    /// The key that signs them.
    pub(crate) tokens_key: PathBuf,
}

impl Certificates {
    /// Makes them and writes them to a folder.
    pub(crate) fn write(folder: &Path) -> Certificates {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned(), "kubernetes".to_owned()];
        let server = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let tokens = KeyPair::generate().unwrap();
        let write = |name: &str, content: String| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let authority_pem = authority.pem();
        Certificates {
            authority: write("authority.pem", authority_pem.clone()),
            authority_pem,
            server: write("server.pem", server.pem()),
            server_key: write("server-key.pem", key.serialize_pem()),
            tokens: write("tokens.pem", tokens.public_key_pem()),
            tokens_key: write("tokens-key.pem", tokens.serialize_pem()),
        }
    }
}

/// The bytes of a certificate in PEM.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}
