//! A client that reads replies and does nothing with them: how fast the API server can answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Asks for a path and query and reads the whole reply; returns how many bytes it had.
pub(crate) fn get(server: SocketAddr, target: &str) -> usize {
    let mut stream = TcpStream::connect(server).unwrap();
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: {server}\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut piece = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => return total,
            length => {
                assert!(
                    total > 0 || piece.starts_with(b"HTTP/1.1 200"),
                    "{target} is not answered with 200"
                );
                total += length;
            }
        }
    }
}
