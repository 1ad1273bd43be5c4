//! A forward proxy on loopback, for tests: HTTP (`CONNECT` and requests for `http://`) and SOCKS5 on one port.
//!
//! Clients use host names that no resolver knows; a table maps them to local ports. The proxy can require credentials
//! and fail on command.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use crate::locked;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The largest head of a request, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// A request and its handling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxiedRequest {
    /// `CONNECT`, `SOCKS`, or the method of a request for `http://`.
    pub method: String,
    /// The target as the client wrote it: `host:port`.
    pub target: String,
    /// The status that the proxy itself answered; 200 for an open tunnel or a forwarded request. For SOCKS, 407 for
    /// wrong credentials.
    pub status: u16,
}

/// The credentials that a proxy requires and its routes.
#[derive(Clone, Debug, Default)]
pub struct ForwardProxyOptions {
    /// From `host:port` to an address on loopback. The answer to other targets is 502.
    pub targets: HashMap<String, SocketAddr>,
    /// User name and password: `user:password`.
    pub credentials: Option<String>,
    /// The listen address, on loopback; a free port by default.
    pub address: Option<SocketAddr>,
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct ForwardProxy {
    address: SocketAddr,
    state: Arc<ProxyState>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct ProxyState {
    options: ForwardProxyOptions,
    /// The answers to the next requests, which are not served.
    failures: Mutex<VecDeque<u16>>,
    proxied: Mutex<Vec<ProxiedRequest>>,
}

impl ForwardProxy {
    /// Starts a proxy.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(options: ForwardProxyOptions) -> io::Result<ForwardProxy> {
        let address = options.address.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(ProxyState {
            options,
            failures: Mutex::default(),
            proxied: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                connections.spawn(async move {
                    // The client sees errors by itself.
                    let _ = state.serve(stream).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(ForwardProxy { address, state, task })
    }

    /// The proxy's URL, with a `scheme` such as `http`, and with the credentials, if any.
    pub fn url(&self, scheme: &str) -> String {
        let credentials = self.state.options.credentials.as_ref();
        let credentials = credentials.map(|pair| format!("{pair}@")).unwrap_or_default();
        format!("{scheme}://{credentials}{}", self.address)
    }

    /// The listen address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next requests with these statuses and serves none of them; 0 closes the connection without an answer.
    pub fn fail_next(&self, statuses: impl IntoIterator<Item = u16>) {
        locked(&self.state.failures).extend(statuses);
    }

    /// Handled requests, in order.
    pub fn proxied(&self) -> Vec<ProxiedRequest> {
        locked(&self.state.proxied).clone()
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ProxyState {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        match first {
            [5] => self.socks(stream).await,
            _ => {
                let head = read_head(&mut stream).await?;
                self.http(stream, &head).await
            }
        }
    }

    /// Records a request; returns the status of its answer.
    fn decide(&self, method: &str, target: &str, authenticated: bool) -> u16 {
        let failure = locked(&self.failures).pop_front();
        let status = match failure {
            Some(status) => status,
            None if !authenticated => 407,
            None if !self.options.targets.contains_key(target) => 502,
            None => 200,
        };
        locked(&self.proxied).push(ProxiedRequest {
            method: method.into(),
            target: target.into(),
            status,
        });
        status
    }

    async fn http(&self, mut stream: TcpStream, head: &str) -> io::Result<()> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let expected = self.options.credentials.as_ref().map(|pair| {
            use base64::Engine;
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        });
        let (mut found, mut rest) = (None, String::new());
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "proxy-authorization" => found = Some(value.trim().to_owned()),
                "connection" | "proxy-connection" => {}
                _ => rest.push_str(&format!("{line}\r\n")),
            }
        }
        let authenticated = expected.is_none() || found == expected;
        let authority = match target.strip_prefix("http://") {
            Some(rest) => {
                let authority = rest.split(['/', '?']).next().unwrap_or_default();
                match authority.rsplit_once(':') {
                    Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
                    _ => format!("{authority}:80"),
                }
            }
            None => target.to_owned(),
        };
        let status = self.decide(method, &authority, authenticated);
        if status != 200 {
            if status != 0 {
                let answer = format!(
                    "HTTP/1.1 {status} Proxy\r\nContent-Length: 13\r\nConnection: close\r\nProxy-Authenticate: Basic \
                     realm=\"p\"\r\n\r\nfrom a proxy\n"
                );
                stream.write_all(answer.as_bytes()).await?;
            }
            return stream.shutdown().await;
        }
        let mut target_stream = TcpStream::connect(self.options.targets[&authority]).await?;
        if method == "CONNECT" {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        } else {
            // One request for each connection, so that each is recorded.
            let head = format!("{method} {target} HTTP/1.1\r\n{rest}Connection: close\r\n\r\n");
            target_stream.write_all(head.as_bytes()).await?;
        }
        copy_bidirectional(&mut stream, &mut target_stream).await.map(|_| ())
    }

    /// Serves version 5 of SOCKS with names or addresses, with or without user name and password.
    async fn socks(&self, mut stream: TcpStream) -> io::Result<()> {
        let [_, methods]: [u8; 2] = read(&mut stream).await?;
        let mut offered = vec![0; usize::from(methods)];
        stream.read_exact(&mut offered).await?;
        let method = if self.options.credentials.is_some() { 2 } else { 0 };
        if !offered.contains(&method) {
            self.decide("SOCKS", "", false);
            return stream.write_all(&[5, 0xff]).await;
        }
        stream.write_all(&[5, method]).await?;
        let mut authenticated = true;
        if method == 2 {
            let [_, length]: [u8; 2] = read(&mut stream).await?;
            let user = text(&mut stream, length).await?;
            let [length] = read(&mut stream).await?;
            let pair = format!("{user}:{}", text(&mut stream, length).await?);
            authenticated = Some(pair) == self.options.credentials;
            stream.write_all(&[1, u8::from(!authenticated)]).await?;
        }
        if !authenticated {
            self.decide("SOCKS", "", false);
            return stream.shutdown().await;
        }
        let [_, _, _, kind]: [u8; 4] = read(&mut stream).await?;
        let host = match kind {
            1 => Ipv4Addr::from(read::<4>(&mut stream).await?).to_string(),
            4 => format!("[{}]", std::net::Ipv6Addr::from(read::<16>(&mut stream).await?)),
            _ => {
                let [length] = read(&mut stream).await?;
                text(&mut stream, length).await?
            }
        };
        let target = format!("{host}:{}", u16::from_be_bytes(read(&mut stream).await?));
        let reply = match self.decide("SOCKS", &target, true) {
            200 => 0,
            403 => 2,
            _ => 4,
        };
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        if reply != 0 {
            return stream.shutdown().await;
        }
        let mut target = TcpStream::connect(self.options.targets[&target]).await?;
        copy_bidirectional(&mut stream, &mut target).await.map(|_| ())
    }
}

async fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn text(stream: &mut TcpStream, length: u8) -> io::Result<String> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads the head of a request, and nothing after it.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
