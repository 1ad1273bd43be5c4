//! Connections through a real proxy on loopback.

use std::net::SocketAddr;

use crate::{Proxy, ProxyFailure};
use simulator::{ForwardProxy, ForwardProxyOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "hunter2";

/// A server that sends first, as HTTP/2 may, and then echoes.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(b"hello ").await.unwrap();
                let mut received = [0; 4];
                stream.read_exact(&mut received).await.unwrap();
                stream.write_all(&received).await.unwrap();
            });
        }
    });
    address
}

async fn start(credentials: Option<&str>) -> ForwardProxy {
    let server = server().await;
    let targets = ["server.example:443", "[fd00::1]:443", "10.0.0.1:443"];
    let options = ForwardProxyOptions {
        targets: targets.map(|target| (target.to_owned(), server)).into_iter().collect(),
        credentials: credentials.map(String::from),
        ..ForwardProxyOptions::default()
    };
    ForwardProxy::start(options).await.unwrap()
}

fn proxy(url: &str) -> Proxy {
    Proxy::parse(url, "proxy_url").unwrap()
}

async fn error(url: &str, host: &str) -> (ProxyFailure, String) {
    let why = proxy(url).connect(host, 443).await.unwrap_err();
    let text = why.to_string();
    assert!(!format!("{text}{why:?}").contains(SECRET), "{text} {why:?}");
    let place = url.rsplit(['@', '/']).next().unwrap();
    assert!(text.starts_with("proxy ") && text.contains(place), "{text}");
    assert!(text.contains("(from proxy_url)"), "{text}");
    let ProxyFailure::Status(status) = why.failure() else {
        return (ProxyFailure::Unknown, text);
    };
    (ProxyFailure::Status(*status), text)
}

#[tokio::test]
async fn reaches_a_target_with_and_without_credentials() {
    for credentials in [None, Some("user:hunter2")] {
        let running = start(credentials).await;
        for scheme in ["http", "socks5", "socks5h"] {
            for host in ["server.example", "fd00::1", "10.0.0.1"] {
                let mut stream = proxy(&running.url(scheme)).connect(host, 443).await.unwrap();
                stream.write_all(b"you!").await.unwrap();
                let mut received = String::new();
                stream.read_to_string(&mut received).await.unwrap();
                assert_eq!(received, "hello you!", "{scheme} {host}");
            }
        }
        assert!(running.proxied().iter().all(|proxied| proxied.status == 200));
    }
}

#[tokio::test]
async fn keeps_bytes_sent_first_by_the_target() {
    // The proxy's answer and the first bytes of the target arrive together.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nSETTINGS")
            .await
            .unwrap();
    });
    let mut stream = proxy(&url).connect("server.example", 443).await.unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "SETTINGS");
}

#[tokio::test]
async fn wrong_credentials_lead_to_the_setting() {
    let running = start(Some("user:right")).await;
    for scheme in ["http", "socks5"] {
        for url in [
            format!("{scheme}://user:hunter2@{}", running.address()),
            format!("{scheme}://{}", running.address()),
        ] {
            let (_, text) = error(&url, "server.example").await;
            assert!(text.contains("requires authentication"), "{text}");
            assert!(text.contains("check the user name and password in proxy_url"), "{text}");
        }
    }
}

#[tokio::test]
async fn explains_every_proxy_refusal() {
    let running = start(None).await;
    for (status, expected) in [
        (403, "answered HTTP 403 Forbidden: it does not allow this target"),
        (502, "answered HTTP 502 Bad Gateway: it cannot reach the target"),
        (500, "answered HTTP 500 Internal Server Error"),
        (0, "closed the connection before it answered"),
    ] {
        running.fail_next([status]);
        let (failure, text) = error(&running.url("http"), "server.example").await;
        assert!(text.contains(expected), "{text}");
        if status != 0 {
            assert!(
                matches!(failure, ProxyFailure::Status(found) if found == status),
                "{text}"
            );
        }
    }
    let (_, text) = error(&running.url("http"), "unknown.example").await;
    assert!(text.contains("HTTP 502"), "{text}");
    let (_, text) = error(&running.url("socks5"), "unknown.example").await;
    assert!(
        text.contains("did not connect to the target: host unreachable"),
        "{text}"
    );
}

#[tokio::test]
async fn names_an_unreachable_or_unknown_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "socks5"] {
        let (_, text) = error(&format!("{scheme}://user:{SECRET}@{address}"), "server.example").await;
        assert!(
            text.contains("refused the connection: check that it is running"),
            "{text}"
        );
        // A label may have 63 characters, so no resolver asks the network for this one.
        let host = format!("{}.example", "x".repeat(64));
        let (_, text) = error(&format!("{scheme}://user:{SECRET}@{host}:1"), "server.example").await;
        assert!(text.contains(&format!("the name {host} cannot be resolved")), "{text}");
    }
}

#[tokio::test]
async fn detects_a_server_that_is_not_a_proxy() {
    for answer in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 nothing\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(answer).await.unwrap();
                // Kept open, so that only the answer matters.
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        for scheme in ["http", "socks5"] {
            let (_, text) = error(&format!("{scheme}://{address}"), "server.example").await;
            assert!(text.contains("does not answer as a proxy"), "{scheme}: {text}");
        }
    }
}
