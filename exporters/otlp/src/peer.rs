//! The protocol of a peer, recognized by its first bytes: users swap the ports of the transports most often.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long to wait for the first bytes of a peer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The protocol of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// HTTP/1, or TLS without HTTP/2.
    Http1,
    /// HTTP/2 without TLS, as gRPC servers do.
    Http2,
    /// TLS.
    Tls,
}

impl Speaks {
    /// Recognizes the protocol, if the first bytes are enough.
    pub(crate) fn recognize(first: &[u8]) -> Option<Speaks> {
        match first {
            [b'H', b'T', b'T', b'P', ..] => Some(Speaks::Http1),
            // A record of type "alert" of TLS version 3.x.
            [0x15, 0x03, ..] => Some(Speaks::Tls),
            // The header of a frame of settings, which comes first: length, type, flags.
            [0, _, _, 4, 0 | 1, ..] => Some(Speaks::Http2),
            _ => None,
        }
    }
}

/// The first bytes that are sent to a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hello {
    /// An HTTP/1 request.
    Http1,
    /// The HTTP/2 preface, and an empty settings frame.
    Http2,
}

/// Finds out the protocol of a server, without TLS and on a separate connection. It sends no secrets and no data.
pub(crate) async fn ask(url: &Url, hello: Hello) -> Option<Speaks> {
    let hello = match hello {
        Hello::Http1 => &b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"[..],
        Hello::Http2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    };
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default()?;
    let conversation = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(hello).await?;
        let mut answer = Vec::with_capacity(9);
        while answer.len() < 9 && stream.read_buf(&mut answer).await? > 0 {}
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, conversation).await.ok()?;
    if let Some(speaks) = answer.ok().and_then(|answer| Speaks::recognize(&answer)) {
        return Some(speaks);
    }
    // Some servers close the connection without a TLS alert.
    let handshake = tokio::time::timeout(PATIENCE, speaks_tls(host, port));
    matches!(handshake.await, Ok(Some(true))).then_some(Speaks::Tls)
}

/// True if a server answers a handshake, even by refusing it. No certificate is trusted, so the handshake never succeeds.
async fn speaks_tls(host: &str, port: u16) -> Option<bool> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let stream = TcpStream::connect((host, port)).await.ok()?;
    let error = TlsConnector::from(Arc::new(config)).connect(name, stream).await.err()?;
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    use rustls::Error::{AlertReceived, InvalidCertificate, PeerIncompatible};
    Some(matches!(
        error,
        InvalidCertificate(_) | AlertReceived(_) | PeerIncompatible(_)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_protocols_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], Some(Speaks::Http1)),
            (&[0x15, 3, 3, 0, 2, 2, 22], Some(Speaks::Tls)),
            (&[0, 0, 18, 4, 0, 0, 0, 0, 0], Some(Speaks::Http2)),
            (b"SSH-2.0-OpenSSH", None),
            (b"", None),
        ] {
            assert_eq!(Speaks::recognize(bytes), expected, "{bytes:?}");
        }
    }
}
