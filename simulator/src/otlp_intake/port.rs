//! A port that can be closed without losing it.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// The number of connections that may wait to be accepted.
pub(super) const BACKLOG: u32 = 1024;

/// The commands to a port, and its state.
#[derive(Debug)]
pub(super) struct PortControl {
    pub address: SocketAddr,
    /// True while the port is to be closed.
    pub close: watch::Receiver<bool>,
    /// True while the port is open.
    pub opened: watch::Sender<bool>,
}

impl PortControl {
    /// Waits until the port is to be closed.
    pub(super) async fn closing(&mut self) {
        if self.close.wait_for(|close| *close).await.is_err() {
            std::future::pending().await
        }
    }

    /// Refuses connections until the port is to be open again.
    pub(super) async fn close_until_reopened(&mut self, listener: TcpListener) -> io::Result<TcpListener> {
        // A socket that is bound and does not listen refuses connections, and keeps the port.
        let (socket, _) = reserve(self.address)?;
        drop(listener);
        self.opened.send_replace(false);
        // An error means that the intake stops.
        let _ = self.close.wait_for(|close| !*close).await;
        let listener = socket.listen(BACKLOG)?;
        self.opened.send_replace(true);
        Ok(listener)
    }
}

/// Binds a socket to a port, which another socket of this intake may have, too.
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
