//! Connections through a proxy.
//!
//! hyper-util's connectors are not used: they do not return the status of a proxy's answer, and lose the first bytes of a
//! server that sends first (HTTP/2 without TLS).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};

use crate::choice::Target;
use crate::error::{ProxyError, ProxyFailure};
use crate::socks;
use crate::url::{Protocol, Proxy, authority};

/// The largest head of an answer to `CONNECT`.
const HEAD_LIMIT: usize = 16 * 1024;

impl Proxy {
    /// Opens a connection to a target through the proxy, which resolves the target's name. `host` is a name or an
    /// address without brackets. There is no timeout.
    ///
    /// # Errors
    /// The proxy's failure, with its name.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ProxyError> {
        let mut stream = self.dial().await?;
        let opened = match self.protocol() {
            Protocol::Http => self.tunnel(&mut stream, host, port).await,
            Protocol::Socks => socks::open(&mut stream, self.credentials(), host, port).await,
        };
        opened.map_err(|failure| ProxyError::new(self, failure))?;
        Ok(stream)
    }

    /// True if requests for the target are sent to the proxy itself, which may answer them. All others use a tunnel.
    pub fn forwards(&self, target: Target<'_>) -> bool {
        self.protocol() == Protocol::Http && !target.is_tls()
    }

    /// Requests another connection, for clients that do not return the proxy's answer. `None` if the proxy opens one.
    /// Without `tunnel` it only connects to the proxy.
    pub async fn diagnose(&self, target: Target<'_>, tunnel: bool, patience: Duration) -> Option<ProxyError> {
        let asking = async {
            match tunnel {
                true => self.connect(target.host(), target.port()).await.err(),
                false => self.dial().await.err(),
            }
        };
        match tokio::time::timeout(patience, asking).await {
            Ok(answer) => answer,
            Err(_) => Some(self.late(patience)),
        }
    }

    /// The error for a connection that took longer than `timeout`.
    pub fn late(&self, timeout: Duration) -> ProxyError {
        ProxyError::new(self, ProxyFailure::Late(timeout))
    }

    /// Connects to the proxy itself.
    ///
    /// # Errors
    /// The proxy is unreachable; names the proxy.
    pub async fn dial(&self) -> Result<TcpStream, ProxyError> {
        let fail = |failure| ProxyError::new(self, failure);
        let addresses = lookup_host((self.host(), self.port())).await;
        let addresses: Vec<_> = addresses.map_err(|why| fail(ProxyFailure::Resolve(why)))?.collect();
        let stream = TcpStream::connect(&addresses[..]).await;
        let stream = stream.map_err(|why| fail(ProxyFailure::Connect(why)))?;
        stream
            .set_nodelay(true)
            .map_err(|why| fail(ProxyFailure::Connect(why)))?;
        Ok(stream)
    }

    async fn tunnel(&self, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), ProxyFailure> {
        let target = authority(host, port);
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(credentials) = self.credentials() {
            request.push_str(&format!("Proxy-Authorization: {}\r\n", credentials.basic()));
        }
        request.push_str("\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .map_err(ProxyFailure::Broken)?;
        let head = read_head(stream).await?;
        match status(&head) {
            Some(200..=299) => Ok(()),
            Some(status) => Err(ProxyFailure::Status(status)),
            None => Err(ProxyFailure::OtherProtocol),
        }
    }
}

/// Reads up to the empty line and not a byte more: the next bytes belong to the target.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, ProxyFailure> {
    let mut head = Vec::with_capacity(256);
    let mut seen = [0; 1024];
    while head.len() < HEAD_LIMIT {
        let count = stream.peek(&mut seen).await.map_err(ProxyFailure::Broken)?;
        if count == 0 {
            return Err(ProxyFailure::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let before = head.len();
        head.extend_from_slice(&seen[..count]);
        let from = before.saturating_sub(3);
        let end = head[from..].windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            head.truncate(from + end + 4);
        }
        let taken = &mut seen[..head.len() - before];
        stream.read_exact(taken).await.map_err(ProxyFailure::Broken)?;
        if end.is_some() {
            return Ok(head);
        }
        if !b"HTTP/".starts_with(&head[..head.len().min(5)]) {
            break;
        }
    }
    Err(ProxyFailure::OtherProtocol)
}

/// The status of `HTTP/1.x NNN …`.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let status = line.split(' ').nth(1)?;
    status.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_status_line() {
        for (head, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407 \r\n\r\n", Some(407)),
            ("HTTP/1.1 502\r\n\r\n", Some(502)),
            ("HTTP/1.1 \r\n\r\n", None),
            ("HTTP/2 200\r\n\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }
}
