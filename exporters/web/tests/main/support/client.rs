//! A client that reads one answer on each connection.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn new(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// The answer to `GET`; each of `headers` ends with a line break.
pub(crate) async fn get(server: SocketAddr, path: &str, headers: &str) -> Answer {
    request(server, "GET", path, headers).await
}

pub(crate) async fn request(server: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut stream = open(server, method, path, headers).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::new(&bytes)
}

async fn open(server: SocketAddr, method: &str, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let host = match headers.to_ascii_lowercase().contains("host:") {
        true => "",
        false => "host: localhost\r\n",
    };
    let head = format!("{method} {path} HTTP/1.1\r\n{host}{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// A client of the live stream.
pub(crate) struct Stream {
    connection: TcpStream,
    text: String,
}

impl Stream {
    /// Connects, and waits until the stream is live.
    pub(crate) async fn connect(server: SocketAddr, headers: &str) -> Self {
        let mut stream = Stream::silent(server, headers).await;
        stream.until(": connected").await;
        stream
    }

    /// Connects and reads nothing.
    pub(crate) async fn silent(server: SocketAddr, headers: &str) -> Self {
        Stream {
            connection: open(server, "GET", "/api/v1/stream", headers).await,
            text: String::new(),
        }
    }

    /// Reads until a text has arrived; returns everything before its end.
    pub(crate) async fn until(&mut self, part: &str) -> String {
        loop {
            if let Some(at) = self.text.find(part) {
                let rest = self.text.split_off(at + part.len());
                return std::mem::replace(&mut self.text, rest);
            }
            assert!(self.read().await, "the stream ended without {part:?}: {}", self.text);
        }
    }

    /// Reads to the end of the stream.
    pub(crate) async fn rest(mut self) -> String {
        while self.read().await {}
        self.text
    }

    async fn read(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        let length = self.connection.read(&mut piece).await.unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&piece[..length]));
        length > 0
    }
}
