//! The port: open, or closed and still ours.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// How many connections may wait to be accepted.
pub(super) const BACKLOG: u32 = 1024;

/// Who closes the port, and whether it is open.
#[derive(Debug)]
pub(super) struct Door {
    pub address: SocketAddr,
    /// Whether it is to be closed.
    pub close: watch::Receiver<bool>,
    /// Whether it is open.
    pub opened: watch::Sender<bool>,
}

impl Door {
    /// Resolves when it is to be closed.
    pub async fn closing(&mut self) {
        if self.close.wait_for(|close| *close).await.is_err() {
            std::future::pending().await
        }
    }

    /// Refuses connections until it is to be open again.
    pub async fn stay_closed(&mut self, listener: TcpListener) -> io::Result<TcpListener> {
        // A socket that is bound and does not listen refuses connections, and nobody else can have the port meanwhile.
        let (socket, _) = reserve(self.address)?;
        drop(listener);
        self.opened.send_replace(false);
        // An error says that the intake is going.
        let _ = self.close.wait_for(|close| !*close).await;
        let listener = socket.listen(BACKLOG)?;
        self.opened.send_replace(true);
        Ok(listener)
    }
}

/// A socket that has the port, which may be shared with one of our own.
pub(super) fn reserve(address: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
