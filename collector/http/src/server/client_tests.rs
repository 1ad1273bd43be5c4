//! Clients that are slow, hostile or confused, over real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Endpoint, MAX_CONNECTIONS, Server, Service};
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

const SERVICE: Service = Service {
    name: "test",
    connection_timeout: Duration::from_secs(60),
};

/// A server with pages of this size.
async fn page_of(bytes: usize) -> Served {
    let endpoint = Endpoint::parse("127.0.0.1:0").unwrap();
    let server = Server::listen(SERVICE, &endpoint, "here", "endpoint", &[])
        .await
        .unwrap();
    let address = server.address();
    let shutdown = CancellationToken::new();
    let router = Router::new().fallback(get(async move || "x".repeat(bytes)));
    let task = tokio::spawn(server.serve(router, shutdown.clone()));
    Served {
        address,
        shutdown,
        task,
    }
}

impl Served {
    /// A connection that has sent this and remains open.
    async fn connection(&self, sent: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, request: &str) -> String {
        rest(self.connection(request).await).await
    }

    async fn probe(&self) -> String {
        self.ask("GET /healthz HTTP/1.1\r\nhost: 10.0.0.1:13133\r\n\r\n").await
    }
}

/// Everything received until the server closes the connection, gracefully or not.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn serves_probes_while_connections_hang() {
    for sent in ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-more:"] {
        let served = page_of(5).await;
        let mut hanging = Vec::new();
        for _ in 0..MAX_CONNECTIONS + 50 {
            hanging.push(served.connection(sent).await);
        }
        for _ in 0..10 {
            let answer = served.probe().await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{sent:?}: {answer}");
        }
        // The oldest connections were closed.
        assert_eq!(rest(hanging.remove(0)).await, "");
        let mut youngest = hanging.pop().unwrap();
        if !sent.is_empty() {
            youngest.write_all(b"\r\n\r\n").await.unwrap();
            assert!(rest(youngest).await.starts_with("HTTP/1.1 "), "{sent:?}");
        }
    }
}

#[tokio::test]
async fn serves_probes_while_responses_are_not_read() {
    const LARGE: usize = 4 * 1024 * 1024;
    let served = page_of(LARGE).await;
    let mut hanging = Vec::new();
    for _ in 0..40 {
        let mut stream = served.connection("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        // The response has begun.
        stream.read_u8().await.unwrap();
        hanging.push(stream);
    }
    assert!(served.probe().await.len() > LARGE);
    assert!(
        rest(hanging.remove(0)).await.len() < LARGE,
        "the oldest unread answer was cut off"
    );
    assert!(rest(hanging.pop().unwrap()).await.len() > LARGE, "the youngest was not");
}

#[tokio::test(start_paused = true)]
async fn times_out_incomplete_requests() {
    let served = page_of(5).await;
    for sent in ["", "GET / HTTP/1.1\r\nhost:"] {
        let stream = served.connection(sent).await;
        assert!(!rest(stream).await.starts_with("HTTP/1.1 200"), "{sent:?}");
    }
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let served = page_of(5).await;
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n";
    let answer = served.ask(&request.repeat(2)).await;
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn rejects_foreign_hosts_and_other_methods() {
    let served = page_of(5).await;
    for host in ["evil.example:13133", "10.0.0.1.evil.example"] {
        let answer = served.ask(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        assert!(answer.contains("here::allowed_hosts"), "{answer}");
    }
    let answer = served.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains(" 200 "), "no browser: {answer}");
    for method in ["POST", "DELETE", "OPTIONS"] {
        let answer = served
            .ask(&format!("{method} / HTTP/1.1\r\nhost: localhost\r\n\r\n"))
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET,HEAD"),
            "{method}: {answer}"
        );
    }
}

#[tokio::test]
async fn rejects_an_endless_head() {
    let served = page_of(5).await;
    let mut stream = served.connection("GET / HTTP/1.1\r\nhost: localhost\r\nx: ").await;
    // The server may close the connection at any of these.
    for _ in 0..64 {
        let _ = stream.write_all(&[b'x'; 1024]).await;
    }
    let answer = rest(stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(served.probe().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn stops_with_connections_open_and_frees_the_port() {
    let served = page_of(5).await;
    let _hanging = served.connection("GET /").await;
    assert!(served.probe().await.starts_with("HTTP/1.1 200 "));
    served.shutdown.cancel();
    served.task.await.unwrap();
    TcpListener::bind(served.address).await.unwrap();
}

#[tokio::test]
async fn reports_a_port_in_use_with_its_setting() {
    let served = page_of(5).await;
    let endpoint = Endpoint::parse(&served.address.to_string()).unwrap();
    let listen = async |endpoint: &Endpoint| {
        let listening = Server::listen(SERVICE, endpoint, "extensions::health_check", "endpoint", &[]);
        listening.await.err().unwrap()
    };
    assert_eq!(
        listen(&endpoint).await,
        format!(
            "cannot listen on {}: address already in use; another collector? set extensions::health_check::endpoint",
            served.address
        )
    );
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    let error = listen(&Endpoint::parse("192.0.2.1:13133").unwrap()).await;
    assert!(
        error.starts_with("cannot listen on 192.0.2.1:13133: ")
            && error.ends_with("; see extensions::health_check::endpoint"),
        "{error}"
    );
}
