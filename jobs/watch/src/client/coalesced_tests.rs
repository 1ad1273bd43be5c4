//! Coalesced reads of a scripted connection, on a paused clock.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;

const TICK: Duration = Duration::from_millis(25);
/// The room in the kernel.
const ROOM: usize = 600 * 1024;
/// All ticks have the same length.
const EVEN: Coalesce = Coalesce::new(TICK, TICK);
/// Ticks of up to 200 ms.
const LONGER: Coalesce = Coalesce::new(TICK, Duration::from_millis(249));

/// A connection whose arrivals the test decides.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Arrived>>);

#[derive(Default)]
struct Arrived {
    bytes: VecDeque<u8>,
    is_closed: bool,
    waker: Option<Waker>,
    /// The room in the kernel, if it is not [`ROOM`].
    room: Option<usize>,
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

    fn make_room(&mut self) -> usize {
        self.state().room.unwrap_or(ROOM)
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
    let _ticking = reading.ticks.start(EVEN);
    reading.arrive_at([7, 107, 151, 1999]).await;
    assert_eq!(reading.read().await, [(7, 1), (107, 1), (151, 1), (1999, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_read_at_ticks_until_it_is_over() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(EVEN);
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
    let _ticking = reading.ticks.start(EVEN);
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
        let _ticking = reading.ticks.start(EVEN);
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
async fn a_connection_that_stays_busy_is_read_less_often() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(LONGER);
    reading.arrive_at(1..=1000).await;
    let reads = reading.read().await;
    let expected = [
        (1, 1),
        (2, 1),
        (25, 23),
        (50, 25),
        (100, 50),
        (200, 100),
        (400, 200),
        (600, 200),
        (800, 200),
    ];
    assert_eq!(reads[..9], expected);
    // The next burst begins with a short tick.
    assert_eq!(reading.ticks.0.every.load(Ordering::Relaxed), nanos(TICK));
    reading.arrive_at([2001, 2002, 2003]).await;
    assert_eq!(reading.read().await, [(2001, 1), (2002, 1), (2025, 1)]);
}

#[tokio::test(start_paused = true)]
async fn ticks_are_shorter_if_much_arrives_in_each() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(LONGER);
    // 2 kB each ms: 100 kB in 50 ms.
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        reading.socket.arrives(&[b'x'; 2048]);
    }
    let reads = reading.read().await;
    let at: Vec<u128> = reads.iter().map(|(at, _)| *at).collect();
    assert_eq!(at[..6], [1, 2, 25, 50, 100, 150]);
    // Twice as much: the ticks get shorter again.
    for _ in 0..500 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        reading.socket.arrives(&[b'x'; 4096]);
    }
    let reads = reading.read().await;
    let most = reads.iter().map(|(_, bytes)| *bytes).max();
    assert!(most < Some(2 * BULK), "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_waits_for_room_is_read_as_it_sends() {
    const SMALL: usize = 64 * 1024;
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(LONGER);
    reading.socket.state().room = Some(SMALL);
    let mut left = 100 * SMALL;
    while left > 0 {
        let room = SMALL - reading.socket.state().bytes.len();
        let sent = room.min(left);
        left -= sent;
        if sent > 0 {
            reading.socket.arrives(&vec![b'x'; sent]);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let reads = reading.read().await;
    assert!(reads.last().is_some_and(|(at, _)| *at < 300), "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn each_read_records_how_long_its_bytes_may_have_waited() {
    let began = Instant::now();
    let socket = Scripted::default();
    let mut stream = Coalesced::new(socket.clone(), TickGrid::new(began));
    let ticking = stream.ticks.start(LONGER);
    let mut buffer = [0; 4096];
    let (mut arrivals, mut excess) = (Vec::new(), Vec::new());
    let arriving = async {
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            arrivals.push(Instant::now());
            socket.arrives(b"x");
        }
    };
    let reading = async {
        let mut read = 0;
        while read < 801 {
            let bytes = stream.read(&mut buffer).await.unwrap();
            read += bytes;
            excess.push((Instant::now(), bytes, ticking.excess()));
        }
    };
    tokio::join!(arriving, reading);
    let at = |excess: &[(Instant, usize, Duration)]| -> Vec<(u128, u128)> {
        let ms =
            |(at, _, excess): &(Instant, usize, Duration)| (at.duration_since(began).as_millis(), excess.as_millis());
        excess.iter().map(ms).collect()
    };
    assert_eq!(
        at(&excess),
        [
            (1, 0),
            (2, 0),
            (25, 0),
            (50, 0),
            (100, 25),
            (200, 75),
            (400, 175),
            (600, 175),
            (800, 175),
            (1000, 175)
        ]
    );
    let mut arrived = arrivals.into_iter();
    for (read, bytes, excess) in excess {
        for at in arrived.by_ref().take(bytes) {
            assert!(
                read.duration_since(at) <= TICK + excess,
                "{:?}",
                read.duration_since(at)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_ticks_everything_is_read_at_once() {
    let mut reading = Reading::start(Instant::now());
    reading.arrive_at(1..100).await;
    let off = reading.ticks.start(Coalesce::NEVER);
    reading.arrive_at(100..200).await;
    let reads = reading.read().await;
    assert_eq!(reads, (1..200).map(|at| (at, 1)).collect::<Vec<_>>());
    drop(off);
}

#[tokio::test(start_paused = true)]
async fn the_next_request_ends_the_ticks_of_the_last_watch() {
    let mut reading = Reading::start(Instant::now());
    let ticking = reading.ticks.start(EVEN);
    reading.arrive_at([1, 2, 3]).await;
    drop(ticking);
    reading.requests.send(()).unwrap();
    reading.arrive_at([4, 5, 6]).await;
    assert_eq!(reading.read().await, [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_tick_reads_everything() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(EVEN);
    reading.arrive_at([1, 2, 3]).await;
    reading.socket.arrives(&[b'x'; 5 * AT_ONCE - 1]);
    reading.arrive_at([26]).await;
    assert_eq!(reading.read().await, [(1, 1), (2, 1), (25, 5 * AT_ONCE), (50, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_first_list_is_read_as_it_arrives() {
    let mut reading = Reading::start(Instant::now());
    let _ticking = reading.ticks.start(EVEN);
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
    let _ticking = reading.ticks.start(EVEN);
    reading.arrive_at([1, 2, 3]).await;
    reading.socket.closes();
    assert_eq!(reading.read().await, [(1, 1), (2, 1), (25, 1), (25 + 25, 0)]);
}

#[tokio::test(start_paused = true)]
async fn connections_share_their_ticks() {
    let grid = Instant::now();
    let mut readings = [Reading::start(grid), Reading::start(grid)];
    let _ticking = readings.each_ref().map(|reading| reading.ticks.start(EVEN));
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
