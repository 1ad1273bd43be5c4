//! A socket that is polled, not polled, and polled again.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

async fn pair() -> (TcpSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (socket, peer) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (TcpSocket::new(socket.unwrap()), peer.unwrap().0)
}

/// Waits for data, and returns it.
async fn arrived(socket: &mut TcpSocket) -> Vec<u8> {
    let mut buffer = [0; 64];
    loop {
        match socket.read_arrived(&mut buffer) {
            Ok(length) => return buffer[..length].to_vec(),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_lost_between_polls() {
    let (mut socket, mut peer) = pair().await;
    let mut buffer = [0; 64];
    for _ in 0..3 {
        peer.write_all(b"one").await.unwrap();
        let length = socket.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"one");

        let nothing = socket.read_arrived(&mut buffer).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert!(matches!(socket, TcpSocket::Unpolled(_)));
        peer.write_all(b"two").await.unwrap();
        assert_eq!(arrived(&mut socket).await, b"two");

        // It arrives while the runtime does not poll the socket.
        peer.write_all(b"three").await.unwrap();
        let length = socket.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"three");
        assert!(matches!(socket, TcpSocket::Polled(_)));
    }
}

#[tokio::test]
async fn writes_and_shuts_down_after_reading_unpolled() {
    let (mut socket, mut peer) = pair().await;
    assert!(socket.read_arrived(&mut [0; 1]).is_err());
    socket.write_all(b"request").await.unwrap();
    assert!(socket.read_arrived(&mut [0; 1]).is_err());
    socket.shutdown().await.unwrap();
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"request");
    drop(peer);
    assert_eq!(arrived(&mut socket).await, b"", "closed by the peer");
}

#[tokio::test]
async fn making_room_enlarges_the_receive_buffer() {
    let (mut socket, _peer) = pair().await;
    let TcpSocket::Polled(stream) = &socket else { panic!() };
    let before = SockRef::from(stream).recv_buffer_size().unwrap();
    let room = socket.make_room();
    assert!(room > before / 2, "{room}");
    assert_eq!(socket.make_room(), room, "asked again");
}
