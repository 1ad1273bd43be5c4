//! A TCP connection that the runtime may stop polling.

use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose arrivals wake its task, unless it is read by [`read_arrived`](Socket::read_arrived).
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Reads what has arrived, and lets later arrivals wake nothing until the connection is polled again.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing has arrived.
    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Makes room in the kernel for the bytes that arrive between two reads. Returns for how many, at least.
    fn make_room(&mut self) -> usize;
}

/// The requested receive buffer of a connection that is read in ticks, bytes. The kernel takes memory only for what has arrived. It
/// may grant less: by default 208 KiB (`net.core.rmem_max`).
const BUFFER: usize = 1024 * 1024;

/// A TCP connection. It costs nothing while it is not polled: each arrival at a polled one wakes the process.
pub(crate) enum TcpSocket {
    Polled(TcpStream),
    Unpolled(std::net::TcpStream),
    /// The runtime refused it; the error was returned.
    Lost,
}

impl TcpSocket {
    pub(crate) fn new(stream: TcpStream) -> TcpSocket {
        TcpSocket::Polled(stream)
    }

    fn polled(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if matches!(self, TcpSocket::Unpolled(_))
            && let TcpSocket::Unpolled(stream) = std::mem::replace(self, TcpSocket::Lost)
        {
            *self = TcpSocket::Polled(TcpStream::from_std(stream)?);
        }
        match self {
            TcpSocket::Polled(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn unpolled(&mut self) -> io::Result<&mut std::net::TcpStream> {
        if matches!(self, TcpSocket::Polled(_))
            && let TcpSocket::Polled(stream) = std::mem::replace(self, TcpSocket::Lost)
        {
            *self = TcpSocket::Unpolled(stream.into_std()?);
        }
        match self {
            TcpSocket::Unpolled(stream) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Socket for TcpSocket {
    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.unpolled()?.read(buffer)
    }

    fn make_room(&mut self) -> usize {
        let socket = match &*self {
            TcpSocket::Polled(stream) => SockRef::from(stream),
            TcpSocket::Unpolled(stream) => SockRef::from(stream),
            TcpSocket::Lost => return 0,
        };
        let buffer = || socket.recv_buffer_size().unwrap_or(0);
        if buffer() < BUFFER {
            // Without it there is less room.
            let _ = socket.set_recv_buffer_size(BUFFER);
        }
        // The rest is for the kernel's own data about what has arrived. Source: `tcp(7)`, `tcp_adv_win_scale`.
        buffer() / 2
    }
}

impl AsyncRead for TcpSocket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.polled()?.poll_read(context, into)
    }
}

impl AsyncWrite for TcpSocket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.polled()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.polled()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP has no buffer of its own here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.polled()?.poll_shutdown(context)
    }
}

impl Connection for TcpSocket {
    fn connected(&self) -> Connected {
        match self {
            TcpSocket::Polled(stream) => stream.connected(),
            _ => Connected::new(),
        }
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
