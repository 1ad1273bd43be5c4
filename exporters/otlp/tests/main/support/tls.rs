//! Authorities, certificates and an intake behind TLS, made for the test.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use simulator::otlp_intake::OtlpIntake;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    named_authority("test authority")
}

pub(crate) fn named_authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of the authority for a name, and its key, in PEM form.
pub(crate) fn certificate(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new([name.to_owned()])
        .unwrap()
        .signed_by(&key, authority);
    (cert.unwrap().pem(), key.serialize_pem())
}

/// Lines for a YAML block.
pub(crate) fn indented(pem: &str) -> String {
    pem.lines().map(|line| format!("    {line}\n")).collect()
}

/// A certificate for `localhost`, and its key.
pub(crate) struct Certificate {
    cert: rcgen::Certificate,
    key: KeyPair,
}

impl Certificate {
    /// Signed by itself. `openssl req -x509` marks it as an authority.
    pub(crate) fn self_signed(is_ca: bool, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        Certificate { cert, key }
    }

    pub(crate) fn signed_by(authority: &Authority) -> Certificate {
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, authority).unwrap();
        Certificate { cert, key }
    }

    pub(crate) fn pem(&self) -> String {
        self.cert.pem()
    }

    /// The settings that trust the certificate.
    pub(crate) fn trusting(&self) -> String {
        format!("tls:\n  ca_pem: |\n{}", indented(&self.pem()))
    }

    /// The server's side for HTTP/1.1 and for gRPC.
    pub(crate) fn configs(&self) -> [Arc<ServerConfig>; 2] {
        [&b"http/1.1"[..], b"h2"].map(|alpn| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
            let cert = vec![self.cert.der().clone()];
            let mut config = builder
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(cert, key)
                .unwrap();
            config.alpn_protocols = vec![alpn.to_vec()];
            Arc::new(config)
        })
    }
}

/// The certificate and protocol of a server.
pub(crate) struct Tls<'a> {
    pub authority: &'a Authority,
    /// The name in the certificate.
    pub name: &'a str,
    /// The authority of the required client certificates.
    pub clients_of: Option<&'a Authority>,
    pub expired: bool,
    pub versions: &'static [&'static SupportedProtocolVersion],
}

impl<'a> Tls<'a> {
    pub(crate) fn of(authority: &'a Authority) -> Tls<'a> {
        Tls {
            authority,
            name: "localhost",
            clients_of: None,
            expired: false,
            versions: rustls::ALL_VERSIONS,
        }
    }

    /// The server's side, with the protocol that is offered.
    pub(crate) fn config(&self, alpn: &[u8]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([self.name.to_owned()]).unwrap();
        if self.expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let cert = params.signed_by(&key, self.authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
            .unwrap();
        let builder = match self.clients_of {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = builder.with_single_cert(vec![cert.der().clone()], key).unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        Arc::new(config)
    }
}

/// An intake behind TLS: one port for HTTP/1.1, one for gRPC.
pub(crate) struct Server {
    intake: OtlpIntake,
    authority: Authority,
    ports: [u16; 2],
    configs: [Arc<Mutex<Arc<ServerConfig>>>; 2],
    /// Changes when existing connections must end.
    renewed: watch::Sender<()>,
}

impl Server {
    /// With a certificate for `localhost` of its own authority.
    pub(crate) async fn start() -> Server {
        Server::of(authority()).await
    }

    /// With a certificate for `localhost` of the given one.
    pub(crate) async fn of(authority: Authority) -> Server {
        let http = Tls::of(&authority).config(b"http/1.1");
        let grpc = Tls::of(&authority).config(b"h2");
        Server::with(authority, [http, grpc]).await
    }

    pub(crate) async fn with(authority: Authority, configs: [Arc<ServerConfig>; 2]) -> Server {
        let intake = OtlpIntake::start(None).await.unwrap();
        let renewed = watch::Sender::new(());
        let configs = configs.map(|config| Arc::new(Mutex::new(config)));
        let targets = [intake.address(), intake.grpc_address()];
        let mut ports = [0; 2];
        for place in 0..2 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ports[place] = listener.local_addr().unwrap().port();
            let (target, config, renewed) = (targets[place], Arc::clone(&configs[place]), renewed.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let acceptor = TlsAcceptor::from(Arc::clone(&config.lock().unwrap()));
                    let mut renewed = renewed.subscribe();
                    tokio::spawn(async move {
                        let pass = async {
                            // A client that does not trust the server ends the handshake.
                            let Ok(mut outside) = acceptor.accept(stream).await else {
                                return;
                            };
                            let mut inside = TcpStream::connect(target).await.unwrap();
                            let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                        };
                        tokio::select! {
                            () = pass => {}
                            _ = renewed.changed() => {}
                        }
                    });
                }
            });
        }
        Server {
            intake,
            authority,
            ports,
            configs,
            renewed,
        }
    }

    /// Uses these for new connections, and ends existing ones.
    pub(crate) fn renew(&self, configs: [Arc<ServerConfig>; 2]) {
        for (place, config) in configs.into_iter().enumerate() {
            *self.configs[place].lock().unwrap() = config;
        }
        self.renewed.send_replace(());
    }

    pub(crate) fn intake(&self) -> &OtlpIntake {
        &self.intake
    }

    pub(crate) fn url_of_http(&self) -> String {
        format!("https://localhost:{}", self.ports[0])
    }

    pub(crate) fn url_of_grpc(&self) -> String {
        format!("https://localhost:{}", self.ports[1])
    }

    /// The settings that trust its authority.
    pub(crate) fn trusting(&self) -> String {
        format!("tls:\n  ca_pem: |\n{}", indented(&self.authority.pem()))
    }
}
