//! A connection: TCP, TLS, and the protocol of a peer that does not speak gRPC.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use proxy::{Proxy, ProxyError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::peer::Speaks;

/// The protocol of the last peer. Errors of HTTP/2 do not contain it.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerProtocol(Arc<Mutex<Option<Speaks>>>);

impl PeerProtocol {
    pub(super) fn get(&self) -> Option<Speaks> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, speaks: Option<Speaks>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = speaks;
    }
}

/// Makes connections to one server.
#[derive(Clone)]
pub(super) struct GrpcConnector {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) proxy: Option<Arc<Proxy>>,
    /// With the name that the certificate must contain.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) protocol: PeerProtocol,
}

impl tower::Service<Uri> for GrpcConnector {
    type Response = TokioIo<Box<dyn ByteStream>>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    /// The address is the configured one; the argument may contain an `authority` that cannot be resolved.
    fn call(&mut self, _origin: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}

impl GrpcConnector {
    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(ConnectError::Resolve)?;
        let addresses: Vec<_> = addresses.collect();
        let tcp = TcpStream::connect(&addresses[..]).await.map_err(ConnectError::Io)?;
        tcp.set_nodelay(true).map_err(ConnectError::Io)?;
        Ok(tcp)
    }

    async fn connect(self) -> Result<Box<dyn ByteStream>, ConnectError> {
        self.protocol.set(None);
        let tcp = match &self.proxy {
            None => self.dial().await?,
            Some(proxy) => {
                let connecting = proxy.connect(&self.host, self.port);
                connecting.await.map_err(ConnectError::Proxy)?
            }
        };
        let Some((config, name)) = self.tls else {
            return Ok(Box::new(Recognizing::new(tcp, self.protocol)));
        };
        let tls = TlsConnector::from(config).connect(name, tcp);
        let tls = tls.await.map_err(ConnectError::Io)?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            self.protocol.set(Some(Speaks::Http1));
            return Err(ConnectError::NoHttp2);
        }
        Ok(Box::new(Recognizing::new(tls, self.protocol)))
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ConnectError {
    Resolve(io::Error),
    Io(io::Error),
    Proxy(ProxyError),
    NoHttp2,
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ConnectError::Resolve(_) => "dns error",
            ConnectError::Io(_) | ConnectError::Proxy(_) => "no connection",
            ConnectError::NoHttp2 => "no HTTP/2",
        })
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConnectError::Resolve(why) | ConnectError::Io(why) => Some(why),
            ConnectError::Proxy(why) => Some(why),
            ConnectError::NoHttp2 => None,
        }
    }
}

/// A stream of bytes in both directions.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// Recognizes the protocol by the first bytes of the peer.
struct Recognizing<S> {
    stream: S,
    first: bool,
    protocol: PeerProtocol,
}

impl<S> Recognizing<S> {
    fn new(stream: S, protocol: PeerProtocol) -> Self {
        Recognizing {
            stream,
            first: true,
            protocol,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recognizing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.first {
            self.first = false;
            self.protocol.set(Speaks::recognize(&buffer.filled()[before..]));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recognizing<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
