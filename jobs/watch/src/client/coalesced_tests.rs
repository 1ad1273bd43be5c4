//! Coalesced reads of a scripted connection, on a paused clock.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;

const TICK: Duration = Duration::from_millis(25);

/// A connection whose arrivals the test decides.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Arrived>>);

#[derive(Default)]
struct Arrived {
    bytes: VecDeque<u8>,
    is_closed: bool,
    waker: Option<Waker>,
    /// How often an arrival woke the reader.
    wakes: usize,
}

impl Scripted {
    fn state(&self) -> std::sync::MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrives(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.bytes.extend(bytes);
        state.wake();
    }

    fn closes(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.wake();
    }
}

impl Arrived {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.wakes += 1;
            waker.wake();
        }
    }

    fn read(&mut self, most: usize) -> Option<Vec<u8>> {
        let length = most.min(self.bytes.len());
        (length > 0 || self.is_closed).then(|| self.bytes.drain(..length).collect())
    }
}

impl Socket for Scripted {
    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.waker = None;
        let read = state.read(buffer.len()).ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..read.len()].copy_from_slice(&read);
        Ok(read.len())
    }
}

impl AsyncRead for Scripted {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        match state.read(into.remaining()) {
            Some(read) => {
                into.put_slice(&read);
                Poll::Ready(Ok(()))
            }
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A connection, its reader, and what was read when.
struct Reading {
    began: Instant,
    socket: Scripted,
    ticks: Ticks,
    reads: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    requests: mpsc::UnboundedSender<()>,
}

impl Reading {
    fn start(grid: Instant) -> Reading {
        let socket = Scripted::default();
        let coalesced = Coalesced::new(socket.clone(), TickGrid::new(grid));
        let ticks = coalesced.ticks.clone();
        let (sender, reads) = mpsc::unbounded_channel();
        let (requests, mut requested) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut stream = coalesced;
            let mut buffer = vec![0; 4096];
            loop {
                // As in hyper, one task reads and writes.
                tokio::select! {
                    read = stream.read(&mut buffer) => {
                        let length = read.unwrap();
                        if sender.send((Instant::now(), buffer[..length].to_vec())).is_err() || length == 0 {
                            return;
                        }
                    }
                    Some(()) = requested.recv() => stream.write_all(b"GET").await.unwrap(),
                }
            }
        });
        Reading {
            began: grid,
            socket,
            ticks,
            reads,
            requests,
        }
    }

    /// Lets a byte arrive at each of these milliseconds.
    async fn arrive_at(&self, milliseconds: impl IntoIterator<Item = u64>) {
        for at in milliseconds {
            tokio::time::sleep_until(self.began + Duration::from_millis(at)).await;
            self.socket.arrives(b"x");
        }
    }

    /// When how many bytes were read, milliseconds after the start, until a second from now.
    async fn read(&mut self) -> Vec<(u128, usize)> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut all: Vec<(u128, usize)> = Vec::new();
        while let Ok((at, bytes)) = self.reads.try_recv() {
            let at = at.duration_since(self.began).as_millis();
            match all.last_mut() {
                Some((last, length)) if *last == at => *length += bytes.len(),
                _ => all.push((at, bytes.len())),
            }
        }
        all
    }
}

#[tokio::test(start_paused = true)]
async fn an_arrival_after_quiet_is_read_at_once() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(TICK);
    reading.arrive_at([7, 107, 151, 1999]).await;
    assert_eq!(reading.read().await, [(7, 1), (107, 1), (151, 1), (1999, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_read_at_ticks_until_it_is_over() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(TICK);
    reading
        .arrive_at([10, 12, 13, 20, 24, 26, 49, 51, 105, 205, 326, 336, 337])
        .await;
    let quiet = [(326, 1), (336, 1), (350, 1)];
    let expected = [(10, 1), (12, 1), (25, 3), (50, 2), (75, 1), (125, 1), (225, 1)];
    let expected: Vec<_> = expected.into_iter().chain(quiet).collect();
    assert_eq!(reading.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn arrivals_of_a_burst_wake_nothing() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(TICK);
    reading.arrive_at(1..1000).await;
    let reads = reading.read().await;
    assert_eq!(reads.iter().map(|(_, length)| length).sum::<usize>(), 999);
    assert!(reads.len() <= 2 + 40, "{reads:?}");
    assert_eq!(
        reading.socket.state().wakes,
        2,
        "the first arrival, and the one that makes it a burst"
    );
}

#[tokio::test(start_paused = true)]
async fn no_arrival_waits_for_longer_than_a_tick() {
    for seed in 0..20_u64 {
        println!("seed {seed}");
        let mut reading = Reading::start(Instant::now());
        let _ticking = reading.ticks.start(TICK);
        let (mut state, mut arrivals) = (seed, Vec::new());
        for _ in 0..300 {
            state = state
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            // Short and long pauses.
            let pause = (state >> 33) % if state >> 62 == 0 { 90 } else { 9 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            arrivals.push(Instant::now());
            reading.socket.arrives(b"x");
        }
        tokio::time::sleep(TICK).await;
        let mut arrived = arrivals.into_iter();
        while let Ok((read, bytes)) = reading.reads.try_recv() {
            for at in arrived.by_ref().take(bytes.len()) {
                // Timers have a resolution of a millisecond.
                assert!(read.duration_since(at) <= TICK + Duration::from_millis(1));
            }
        }
        assert_eq!(arrived.next(), None, "everything is read");
    }
}

#[tokio::test(start_paused = true)]
async fn without_ticks_everything_is_read_at_once() {
    let mut reading = Reading::start(Instant::now());
    reading.arrive_at(1..100).await;
    let off = reading.ticks.start(Duration::ZERO);
    reading.arrive_at(100..200).await;
    let reads = reading.read().await;
    assert_eq!(reads, (1..200).map(|at| (at, 1)).collect::<Vec<_>>());
    drop(off);
}

#[tokio::test(start_paused = true)]
async fn the_next_request_ends_the_ticks_of_the_last_watch() {
    let mut reading = Reading::start(Instant::now());
    let ticking = reading.ticks.start(TICK);
    reading.arrive_at([1, 2, 3]).await;
    drop(ticking);
    reading.requests.send(()).unwrap();
    reading.arrive_at([4, 5, 6]).await;
    assert_eq!(reading.read().await, [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_tick_reads_everything() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(TICK);
    reading.arrive_at([1, 2, 3]).await;
    reading.socket.arrives(&[b'x'; 5 * AT_ONCE - 1]);
    reading.arrive_at([26]).await;
    assert_eq!(reading.read().await, [(1, 1), (2, 1), (25, 5 * AT_ONCE), (50, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_first_list_is_read_as_it_arrives() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(TICK);
    for _ in 0..1000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        reading.socket.arrives(&[b'x'; 16 * 1024]);
    }
    let reads = reading.read().await;
    assert_eq!(reads.iter().map(|(_, bytes)| bytes).sum::<usize>(), 1000 * 16 * 1024);
    let of_bulk = reads.iter().filter(|(at, bytes)| *at > 25 && *bytes == 16 * 1024);
    assert_eq!(of_bulk.count(), 975, "only the first tick has waited");
    // A burst of updates after it.
    reading.arrive_at((0..1000).map(|at| 3000 + at)).await;
    let reads = reading.read().await;
    assert!(reads.len() <= 40 + 30, "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_is_noticed_at_the_next_tick() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(TICK);
    reading.arrive_at([1, 2, 3]).await;
    reading.socket.closes();
    assert_eq!(reading.read().await, [(1, 1), (2, 1), (25, 1), (25 + 25, 0)]);
}

#[tokio::test(start_paused = true)]
async fn connections_share_their_ticks() {
    let grid = Instant::now();
    let mut readings = [Reading::start(grid), Reading::start(grid)];
    let _ticking = readings.each_ref().map(|reading| reading.ticks.start(TICK));
    readings[0].arrive_at([3, 4, 5]).await;
    readings[1].arrive_at([17, 18, 19]).await;
    for reading in &mut readings {
        assert_eq!(reading.read().await.last(), Some(&(25, 1)));
    }
}

#[test]
fn ticks_are_at_multiples_of_their_length() {
    let origin = Instant::now();
    let grid = TickGrid::new(origin);
    let next = |after: u64| (grid.next(origin + Duration::from_millis(after), TICK) - origin).as_millis();
    assert_eq!([0, 1, 24, 25, 26].map(next), [25, 25, 25, 50, 50]);
    // After 10 years.
    assert_eq!(next(315_360_000_001), 315_360_000_025);
}
