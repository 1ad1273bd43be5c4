//! A connection that a fault can reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The connection's end: orderly, or a reset once [`reset`](ConnectionEnd::reset) is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionEnd(Arc<AtomicBool>);

impl ConnectionEnd {
    /// Makes the connection end with a reset; the error ends it.
    pub(crate) fn reset(&self) -> io::Error {
        self.0.store(true, Ordering::SeqCst);
        io::ErrorKind::ConnectionReset.into()
    }
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) end: ConnectionEnd,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.end.0.load(Ordering::SeqCst) {
            // Closing with pending linger zero sends RST. If it fails the close is orderly, and still a cut.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
