//! A small HTTP/1.1 client that returns what is on the wire.

use serde_json::{Value, json};
use simulator::{ObjectStore, Simulator, SimulatorOptions};
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) struct ApiReply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl ApiReply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.body.clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The next part of an open stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Line(Value),
    /// The stream ended in the middle of this line.
    CutLine(Vec<u8>),
    End,
    /// The connection broke before the end of the stream.
    Broken,
}

pub(crate) struct EventStream {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    reader: BufReader<TcpStream>,
    pending: Vec<u8>,
    ended: Option<bool>,
}

pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> ApiReply {
    let mut stream = open(address, method, path, headers, body).await;
    let mut whole = Vec::new();
    while stream.fill().await {}
    whole.append(&mut stream.pending);
    ApiReply {
        status: stream.status,
        headers: stream.headers,
        body: whole,
    }
}

pub(crate) async fn get(simulator: &Simulator, path: &str) -> ApiReply {
    send(simulator.address(), "GET", path, &[], "").await
}

pub(crate) async fn watch(simulator: &Simulator, path: &str) -> EventStream {
    open(simulator.address(), "GET", path, &[], "").await
}

pub(crate) async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> EventStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    let status = line
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("no status line in {line:?}"))
        .parse()
        .unwrap();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    EventStream {
        status,
        headers,
        reader,
        pending: Vec::new(),
        ended: None,
    }
}

impl EventStream {
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(end + 1);
                let line = std::mem::replace(&mut self.pending, rest);
                return Next::Line(serde_json::from_slice(&line).unwrap());
            }
            match self.ended {
                None => {
                    self.fill().await;
                }
                Some(_) if !self.pending.is_empty() => return Next::CutLine(std::mem::take(&mut self.pending)),
                Some(true) => return Next::End,
                Some(false) => return Next::Broken,
            }
        }
    }

    /// The next line; its type, and the namespace/name of its object.
    pub(crate) async fn event(&mut self) -> (String, String) {
        match self.next().await {
            Next::Line(line) => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let metadata = &line["object"]["metadata"];
                (
                    text(&line["type"]),
                    format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"])),
                )
            }
            other => panic!("expected a line, found {other:?}"),
        }
    }

    /// Reads more of the body; false at its end.
    async fn fill(&mut self) -> bool {
        let more = self.read_part().await;
        match more {
            Ok(true) => true,
            Ok(false) => {
                self.ended = Some(true);
                false
            }
            Err(_) => {
                self.ended = Some(false);
                false
            }
        }
    }

    async fn read_part(&mut self) -> std::io::Result<bool> {
        if self
            .headers
            .get("transfer-encoding")
            .is_some_and(|encoding| encoding == "chunked")
        {
            let mut size = String::new();
            if self.reader.read_line(&mut size).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).await?;
            chunk.truncate(size);
            self.pending.extend(chunk);
            return Ok(size > 0);
        }
        let read = self.reader.read_to_end(&mut self.pending).await?;
        Ok(read > 0)
    }
}

/// A Pod in the namespace `n`.
pub(crate) fn pod(name: &str, labels: Value, phase: &str) -> Value {
    json!({"metadata": {"namespace": "n", "name": name, "uid": name, "labels": labels}, "status": {"phase": phase}})
}

/// A simulator and its store.
pub(crate) async fn started() -> (Simulator, ObjectStore) {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let store = simulator.store().clone();
    (simulator, store)
}

/// The type of a watch event, and the key of its object in the namespace `n`.
pub(crate) fn event(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), format!("n/{name}"))
}

/// Sends a request; returns everything up to the end of the connection.
pub(crate) async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An error is the reset of the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}
