//! TLS in front of a plain server, with records as short as those of a Go server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// The buffer that Go's HTTP server puts in front of a connection, bytes.
const RECORD: usize = 4096;

/// Accepts TLS connections on loopback and relays each to `server`; writes a kubeconfig for them to `kubeconfig`. Runs until
/// the runtime ends.
pub(crate) async fn relay(server: SocketAddr, kubeconfig: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = kubeconfig.with_extension("crt");
    std::fs::write(&authority, made.cert.pem()).unwrap();
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: bench\n\
         clusters:\n- name: bench\n  cluster: {{server: \"https://{address}\", certificate-authority: \"{}\"}}\n\
         users:\n- name: bench\n  user: {{}}\ncontexts:\n- name: bench\n  context: {{cluster: bench, user: bench}}\n",
        authority.display()
    );
    std::fs::write(kubeconfig, text).unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            client.set_nodelay(true).unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let server = TcpStream::connect(server).await.unwrap();
                server.set_nodelay(true).unwrap();
                let Ok(client) = acceptor.accept(client).await else {
                    return;
                };
                let (client, server) = (tokio::io::split(client), server.into_split());
                tokio::join!(copy(client.0, server.1), copy(server.0, client.1));
            });
        }
    });
}

async fn copy(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut record = [0; RECORD];
    while let Ok(length) = from.read(&mut record).await {
        if length == 0 || to.write_all(&record[..length]).await.is_err() || to.flush().await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
