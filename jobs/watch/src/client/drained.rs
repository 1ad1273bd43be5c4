//! Reads everything that a connection has decrypted at once: rustls returns one record at a time. And gives up a connection
//! without progress.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The most bytes of one read: hyper's buffers grow with its reads.
const AT_ONCE: usize = 32 * 1024;

/// A connection each of whose reads returns what has arrived, not a part of it.
pub(crate) struct Drained<S> {
    stream: S,
    /// The error that follows the bytes of the last read.
    error: Option<io::Error>,
    patience: Duration,
    /// When something was read or written last.
    progress: Instant,
    /// Fires when patience may have ended. A timer that moved with each read would wake the runtime as often.
    timer: Pin<Box<Sleep>>,
}

impl<S> Drained<S> {
    /// A connection that fails after so long without a byte read or written.
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        let progress = Instant::now();
        Drained {
            stream,
            error: None,
            patience,
            progress,
            timer: Box::pin(sleep_until(progress + patience)),
        }
    }

    /// Remembers progress; without it, waits until patience ends.
    fn observe<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.progress = Instant::now();
            return polled;
        }
        while self.timer.as_mut().poll(context).is_ready() {
            let end = self.progress + self.patience;
            if end <= self.timer.deadline() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> Drained<S> {
    fn poll_drained(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let mut total = 0;
        while total < AT_ONCE && into.remaining() > 0 {
            let before = into.filled().len();
            match Pin::new(&mut self.stream).poll_read(context, into) {
                Poll::Ready(Ok(())) if into.filled().len() > before => total += into.filled().len() - before,
                Poll::Ready(Err(error)) if total > 0 => {
                    self.error = Some(error);
                    break;
                }
                Poll::Pending if total > 0 => break,
                ended_or_empty => return ended_or_empty,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Drained<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.poll_drained(context, into);
        self.observe(read, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Drained<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.observe(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.observe(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: Connection> Connection for Drained<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(330);

    /// A connection that returns one of these at each read, and then waits.
    struct Records(VecDeque<io::Result<Vec<u8>>>);

    impl AsyncRead for Records {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            match self.0.pop_front() {
                None => Poll::Pending,
                Some(Err(error)) => Poll::Ready(Err(error)),
                Some(Ok(mut record)) => {
                    let rest = record.split_off(record.len().min(into.remaining()));
                    into.put_slice(&record);
                    if !rest.is_empty() {
                        self.0.push_front(Ok(rest));
                    }
                    Poll::Ready(Ok(()))
                }
            }
        }
    }

    /// The next read into a buffer of this size: its length, or the kind of the error.
    fn read(drained: &mut Drained<Records>, size: usize) -> Poll<Result<usize, io::ErrorKind>> {
        let mut bytes = vec![0; size];
        let mut into = ReadBuf::new(&mut bytes);
        let read = Pin::new(drained).poll_read(&mut Context::from_waker(Waker::noop()), &mut into);
        read.map(|read| read.map(|()| into.filled().len()).map_err(|error| error.kind()))
    }

    fn connection(records: impl IntoIterator<Item = io::Result<Vec<u8>>>) -> Drained<Records> {
        Drained::new(Records(records.into_iter().collect()), PATIENCE)
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_returns_every_record_that_has_arrived() {
        let records = [Ok(vec![1; 1400]), Ok(vec![2; 4096]), Ok(vec![3; 4])];
        let mut drained = connection(records);
        assert_eq!(read(&mut drained, 8192), Poll::Ready(Ok(5500)));
        assert_eq!(read(&mut drained, 8192), Poll::Pending);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_bounded_by_its_buffer_and_a_limit() {
        let mut drained = connection([Ok(vec![1; 1000]), Ok(vec![2; 1000])]);
        assert_eq!(read(&mut drained, 1500), Poll::Ready(Ok(1500)));
        assert_eq!(read(&mut drained, 1500), Poll::Ready(Ok(500)));
        let many = (0..100).map(|_| Ok(vec![0; 1024]));
        assert_eq!(read(&mut connection(many), 1 << 20), Poll::Ready(Ok(AT_ONCE)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_or_the_end_follows_the_last_bytes() {
        let reset = || Err(io::ErrorKind::ConnectionReset.into());
        let mut drained = connection([Ok(vec![1]), reset(), Ok(Vec::new())]);
        assert_eq!(read(&mut drained, 10), Poll::Ready(Ok(1)));
        assert_eq!(read(&mut drained, 10), Poll::Ready(Err(io::ErrorKind::ConnectionReset)));
        assert_eq!(read(&mut drained, 10), Poll::Ready(Ok(0)));
        let mut drained = connection([Ok(vec![1]), Ok(Vec::new()), Ok(Vec::new())]);
        assert_eq!(read(&mut drained, 10), Poll::Ready(Ok(1)));
        assert_eq!(read(&mut drained, 10), Poll::Ready(Ok(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_its_patience_without_progress() {
        let began = Instant::now();
        let (client, mut server) = tokio::io::duplex(64);
        let mut client = Drained::new(client, PATIENCE);
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 64];
            loop {
                match client.read(&mut buffer).await {
                    Ok(length) => assert_eq!(length, 1),
                    Err(error) => return (error.kind(), began.elapsed().as_secs()),
                }
            }
        });
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(300)).await;
            server.write_all(b"x").await.unwrap();
        }
        assert_eq!(reading.await.unwrap(), (io::ErrorKind::TimedOut, 900 + 330));
    }
}
