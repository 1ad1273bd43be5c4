//! The API server behind a proxy: a simulated one with TLS, under a name that only the proxy resolves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use job_watch::client::{AuthType, connect, explain};
use kube::client::Body;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use simulator::{ForwardProxy, ForwardProxyOptions, Simulator, SimulatorOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const HOST: &str = "api.cluster.example";
const SECRET: &str = "pr0xy-s3cret";

/// An API server with a certificate for a name, a proxy to it, and a kubeconfig.
struct Setup {
    api: Simulator,
    proxy: ForwardProxy,
    authority: String,
    kubeconfig: PathBuf,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// TLS with a certificate for `name`, before a server without it.
async fn with_tls(authority: &CertifiedIssuer<'static, KeyPair>, name: &str, server: SocketAddr) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let cert = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate ends the handshake.
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inside = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    address
}

impl Setup {
    async fn new(name_in_certificate: &str) -> Setup {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let authority = authority();
        let tls = with_tls(&authority, name_in_certificate, api.address()).await;
        let options = ForwardProxyOptions {
            targets: [
                (format!("{HOST}:6443"), tls),
                ("plain.example:80".into(), api.address()),
            ]
            .into(),
            credentials: Some(format!("user:{SECRET}")),
            ..ForwardProxyOptions::default()
        };
        let proxy = ForwardProxy::start(options).await.unwrap();
        let kubeconfig = std::env::temp_dir().join(format!("kubeconfig-proxy-{}", proxy.address().port()));
        Setup {
            api,
            proxy,
            authority: authority.pem(),
            kubeconfig,
        }
    }

    async fn list(&self, server: &str, proxy_url: &str) -> Result<u16, String> {
        use base64::Engine;
        let authority = base64::engine::general_purpose::STANDARD.encode(&self.authority);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: '{server}', proxy-url: '{proxy_url}', \
             certificate-authority-data: {authority}}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
        );
        std::fs::write(&self.kubeconfig, text).unwrap();
        let connected = connect(AuthType::KubeConfig, Some(&self.kubeconfig), None).await;
        std::fs::remove_file(&self.kubeconfig).unwrap();
        let client = connected.map_err(|why| why.to_string())?.client;
        let request = http::Request::get("/apis/batch/v1/jobs").body(Body::empty()).unwrap();
        let sent = client.send(request).await;
        let sent = sent.map(|response| response.status().as_u16());
        sent.map_err(|error| {
            let text = explain(&error);
            assert!(!text.contains(SECRET), "{text}");
            text
        })
    }
}

#[tokio::test]
async fn reaches_the_api_server_through_a_proxy() {
    let setup = Setup::new(HOST).await;
    for scheme in ["http", "socks5", "socks5h"] {
        for server in ["https://api.cluster.example:6443", "http://plain.example"] {
            assert_eq!(
                setup.list(server, &setup.proxy.url(scheme)).await,
                Ok(200),
                "{scheme} {server}"
            );
        }
    }
    assert_eq!(setup.api.requests().len(), 6);
    let proxied = setup.proxy.proxied();
    assert_eq!(proxied.len(), 6);
    assert_eq!(
        (proxied[0].method.as_str(), proxied[0].target.as_str()),
        ("CONNECT", "api.cluster.example:6443")
    );
}

#[tokio::test]
async fn verifies_the_certificate_behind_a_proxy() {
    let setup = Setup::new("other.example").await;
    let why = setup
        .list("https://api.cluster.example:6443", &setup.proxy.url("http"))
        .await
        .unwrap_err();
    assert!(why.contains("check server and tls-server-name"), "{why}");
    assert!(setup.api.requests().is_empty());
}

#[tokio::test]
async fn loopback_is_reached_without_the_kubeconfigs_proxy() {
    let setup = Setup::new(HOST).await;
    let server = format!("http://{}", setup.api.address());
    assert_eq!(setup.list(&server, &setup.proxy.url("http")).await, Ok(200));
    assert!(setup.proxy.proxied().is_empty());
}

#[tokio::test]
async fn names_the_failing_proxy_without_password() {
    let setup = Setup::new(HOST).await;
    let server = "https://api.cluster.example:6443";
    let address = setup.proxy.address();
    for (status, expected) in [
        (407, "requires authentication (HTTP 407)"),
        (403, "HTTP 403 Forbidden"),
        (0, "closed the connection"),
    ] {
        setup.proxy.fail_next([status]);
        let why = setup.list(server, &setup.proxy.url("http")).await.unwrap_err();
        let name = format!("proxy http://{address} (from kubeconfig proxy-url)");
        assert!(why.starts_with(&name) && why.contains(expected), "{why}");
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let why = setup
        .list(server, &format!("http://user:{SECRET}@{free}"))
        .await
        .unwrap_err();
    assert!(why.starts_with(&format!("proxy http://{free}")), "{why}");
    assert!(why.contains("refused the connection"), "{why}");
}

#[tokio::test]
async fn an_unusable_proxy_url_names_the_kubeconfig() {
    let setup = Setup::new(HOST).await;
    for proxy_url in [
        format!("user:{SECRET}@p:1"),
        format!("https://user:{SECRET}@p:1"),
        format!("http://u:{SECRET}@"),
    ] {
        let why = setup
            .list("https://api.cluster.example:6443", &proxy_url)
            .await
            .unwrap_err();
        assert!(
            why.contains("kubeconfig-proxy-") && why.contains(": proxy-url: "),
            "{why}"
        );
        assert!(
            why.contains("expected `http://host:port`") && !why.contains(SECRET),
            "{why}"
        );
    }
}
