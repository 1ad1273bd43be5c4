//! A client that reads replies and does nothing with them: how fast the API server can answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The annotation of the bookmark that ends a streaming list.
const END_OF_LIST: &[u8] = b"k8s.io/initial-events-end";
/// At least the length of that bookmark, bytes.
const END: usize = 1024;

/// Asks for a path and query and reads the whole reply, or a streaming list up to its end; returns how many bytes it had.
pub(crate) fn get(server: SocketAddr, target: &str) -> usize {
    let mut stream = TcpStream::connect(server).unwrap();
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: {server}\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut piece = vec![0; 256 * 1024];
    let mut total = 0;
    // The last bytes.
    let mut tail = Vec::new();
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => return total,
            length => {
                assert!(
                    total > 0 || piece.starts_with(b"HTTP/1.1 200"),
                    "{target} is not answered with 200"
                );
                total += length;
                tail.extend_from_slice(&piece[length.saturating_sub(END)..length]);
                tail.drain(..tail.len().saturating_sub(END));
                if tail.windows(END_OF_LIST.len()).any(|bytes| bytes == END_OF_LIST) {
                    return total;
                }
            }
        }
    }
}
