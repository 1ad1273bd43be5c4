//! A proxy that serves below a prefix and strips it, as the API server's proxy of Services does.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The path of the API server's proxy of a Service.
pub(crate) const PREFIX: &str = "/api/v1/namespaces/kube-job-collector/services/kube-job-collector:web/proxy";

/// Starts the proxy before `target`; returns its address.
pub(crate) async fn start(target: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, target.clone()));
        }
    });
    address
}

/// Forwards one request. A path without the prefix is another server's: 404.
async fn forward(mut client: TcpStream, target: String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let Some(rest) = head.strip_prefix(&format!("GET {PREFIX}")) else {
        return client
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
    };
    let mut server = TcpStream::connect(&target).await?;
    let rewritten: Vec<String> = format!("GET {rest}")
        .split("\r\n")
        .map(|line| match line.to_ascii_lowercase().starts_with("host:") {
            true => format!("host: {target}"),
            false => line.to_owned(),
        })
        .collect();
    server.write_all(rewritten.join("\r\n").as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
