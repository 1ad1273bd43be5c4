//! Reads a busy connection once a tick, so that a burst of arrivals wakes the process once.
//!
//! A watch turns ticks on for its connection. The first arrival after a pause is read at once. After a second one within a tick,
//! the connection is read at the next ticks only, and the runtime does not poll it meanwhile. Some ticks without data end
//! that. So does one with very much data: a sender must not wait for room in the buffers of the kernel. While a connection
//! stays busy, its ticks get longer, as far as that room allows, and each read records how long its bytes may have waited.
//! All connections of a client share the times of their ticks. Lists and other responses are read on arrival.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::socket::Socket;

/// The most bytes read at once at a tick.
const AT_ONCE: usize = 32 * 1024;
/// After as many ticks without data a connection is quiet.
const QUIET: u8 = 4;
/// As many bytes within a shortest tick are read as they arrive: about 1,500 updates of Pods a second. Less, if the kernel has little room.
const BULK: usize = 6 * AT_ONCE;

/// How often a busy connection is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalesce {
    /// The ticks at the beginning of a burst; zero: updates are read as they arrive.
    every: Duration,
    /// No tick is longer.
    longest: Duration,
}

impl Coalesce {
    /// Updates are read as they arrive.
    pub const NEVER: Coalesce = Coalesce {
        every: Duration::ZERO,
        longest: Duration::ZERO,
    };

    /// Ticks of this length. Those of a connection that stays busy double again and again, up to `longest`.
    pub const fn new(every: Duration, longest: Duration) -> Coalesce {
        Coalesce { every, longest }
    }
}

/// The ticks of one connection, found in the extensions of its responses; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticks(Arc<TickState>);

/// In nanoseconds.
#[derive(Debug, Default)]
struct TickState {
    /// 0: off.
    every: AtomicU64,
    longest: AtomicU64,
    excess: AtomicU64,
}

impl Ticks {
    /// Turns ticks on until the result is dropped, unless they are [`Coalesce::NEVER`].
    pub(crate) fn start(&self, coalesce: Coalesce) -> Ticking {
        self.0.longest.store(nanos(coalesce.longest), Ordering::Relaxed);
        self.0.every.store(nanos(coalesce.every), Ordering::Relaxed);
        Ticking(self.clone())
    }

    /// Records that the bytes read now have waited for at most this long.
    fn waited(&self, longest: Duration) {
        let excess = self.every().map(|every| longest.saturating_sub(every));
        self.0
            .excess
            .store(nanos(excess.unwrap_or_default()), Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn are_on(&self) -> bool {
        self.every().is_some()
    }

    fn every(&self) -> Option<Duration> {
        let every = self.0.every.load(Ordering::Relaxed);
        (every > 0).then(|| Duration::from_nanos(every))
    }

    fn longest(&self) -> Duration {
        Duration::from_nanos(self.0.longest.load(Ordering::Relaxed))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Ticks that are on until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticking(Ticks);

impl Ticking {
    /// By how much longer than a shortest tick the last read bytes may have waited.
    pub(crate) fn excess(&self) -> Duration {
        Duration::from_nanos(self.0.0.excess.load(Ordering::Relaxed))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.0.every.store(0, Ordering::Relaxed);
    }
}

/// The shared times of ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickGrid {
    origin: Instant,
}

impl TickGrid {
    /// Ticks at multiples of their length after `origin`.
    pub(crate) fn new(origin: Instant) -> TickGrid {
        TickGrid { origin }
    }

    /// The first tick after `now`.
    fn next(self, now: Instant, every: Duration) -> Instant {
        let every = every.as_nanos().max(1);
        let passed = now.saturating_duration_since(self.origin).as_nanos() / every;
        let next = u64::try_from((passed + 1) * every).unwrap_or(u64::MAX);
        self.origin + Duration::from_nanos(next)
    }
}

/// A connection that is read in ticks while they are on.
pub(crate) struct Coalesced<S> {
    socket: S,
    grid: TickGrid,
    ticks: Ticks,
    /// When the last arrival was read.
    last: Option<Instant>,
    tick: Option<Tick>,
    bulk: Option<Bulk>,
}

/// Very much arrives.
#[derive(Clone, Copy)]
struct Bulk {
    since: Instant,
    bytes: usize,
}

/// The next tick of a busy connection.
struct Tick {
    due: Pin<Box<Sleep>>,
    /// The tick after it. The runtime wakes itself for a timer that is earlier than all others, so the next one is always set.
    after: Pin<Box<Sleep>>,
    is_due: bool,
    length: Duration,
    /// When the connection was last read to the end: the next bytes have arrived since then.
    drained: Instant,
    /// Ticks without data.
    empty: u8,
    /// Read and not yet taken: `bytes[from..until]`.
    bytes: Box<[u8]>,
    from: usize,
    until: usize,
    /// Read at this tick.
    bytes_read: usize,
    /// How many bytes the kernel has room for.
    room: usize,
}

impl Tick {
    /// The first tick of a burst.
    fn at(due: Instant, every: Duration, now: Instant, room: usize) -> Tick {
        Tick {
            due: Box::pin(sleep_until(due)),
            after: Box::pin(sleep_until(due + every)),
            is_due: false,
            length: every,
            drained: now,
            empty: 0,
            bytes: vec![0; AT_ONCE].into_boxed_slice(),
            from: 0,
            until: 0,
            bytes_read: 0,
            room,
        }
    }

    /// Moves to the tick after `now`, when everything was read.
    fn next(&mut self, now: Instant, every: Duration, longest: Duration, grid: TickGrid) {
        let waited = now.saturating_duration_since(self.drained).as_nanos().max(1);
        // Up to three times as much may arrive in the next tick.
        let most = (self.room / 3) as u128;
        let fits = |length: Duration| self.bytes_read as u128 * length.as_nanos() / waited < most;
        self.length = match self.length * 2 {
            _ if self.bytes_read == 0 => every,
            longer if longer <= longest && fits(longer) => longer,
            _ if fits(self.length) => self.length,
            _ => (self.length / 2).max(every),
        };
        let due = grid.next(now, self.length);
        std::mem::swap(&mut self.due, &mut self.after);
        // Unless a tick was missed, or has another length, it is set.
        if self.due.deadline() != due {
            self.due.as_mut().reset(due);
        }
        self.after.as_mut().reset(due + self.length);
        self.is_due = false;
        self.bytes_read = 0;
        self.drained = now;
    }

    /// True if so much was read that waiting for a shortest tick is too long.
    fn is_bulk(&self, every: Option<Duration>) -> bool {
        self.bytes_read >= BULK.min(self.room / 2) && every.is_none_or(|every| self.length <= every)
    }

    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_due {
            let due = self.due.as_mut().poll(context);
            let _ = self.after.as_mut().poll(context);
            ready!(due);
            self.is_due = true;
        }
        Poll::Ready(())
    }

    fn take(&mut self, into: &mut ReadBuf<'_>) {
        let length = into.remaining().min(self.until - self.from);
        into.put_slice(&self.bytes[self.from..self.from + length]);
        self.from += length;
    }
}

impl<S: Socket> Coalesced<S> {
    pub(crate) fn new(socket: S, grid: TickGrid) -> Self {
        Coalesced {
            socket,
            grid,
            ticks: Ticks::default(),
            last: None,
            tick: None,
            bulk: None,
        }
    }

    /// Bytes were read as they arrived: a burst is read at ticks from now on.
    fn arrived(&mut self, bytes: usize) {
        self.ticks.waited(Duration::ZERO);
        let Some(every) = self.ticks.every() else { return };
        let now = Instant::now();
        let is_within_tick = |then: Instant| now.saturating_duration_since(then) < every;
        if let Some(bulk) = &mut self.bulk {
            bulk.bytes += bytes;
            if is_within_tick(bulk.since) {
                return;
            }
            self.bulk = (bulk.bytes >= BULK).then_some(Bulk { since: now, bytes: 0 });
        }
        let is_burst = self.last.replace(now).is_some_and(is_within_tick);
        if is_burst && self.bulk.is_none() {
            let room = self.socket.make_room();
            self.tick = Some(Tick::at(self.grid.next(now, every), every, now, room));
        }
    }
}

impl<S: Socket> AsyncRead for Coalesced<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let Some(tick) = &mut this.tick else {
                let before = into.filled().len();
                ready!(Pin::new(&mut this.socket).poll_read(context, into))?;
                let bytes = into.filled().len() - before;
                if bytes > 0 {
                    this.arrived(bytes);
                }
                return Poll::Ready(Ok(()));
            };
            if tick.from < tick.until {
                tick.take(into);
                return Poll::Ready(Ok(()));
            }
            let every = this.ticks.every();
            if tick.is_bulk(every) {
                this.tick = None;
                this.bulk = Some(Bulk {
                    since: Instant::now(),
                    bytes: 0,
                });
                continue;
            }
            ready!(tick.poll_due(context));
            let drained = match this.socket.read_arrived(&mut tick.bytes) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(length) => {
                    if tick.bytes_read == 0 {
                        this.ticks.waited(tick.drained.elapsed());
                    }
                    (tick.from, tick.until) = (0, length);
                    tick.bytes_read += length;
                    // A full buffer has left something behind.
                    length < AT_ONCE
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
                Err(error) => return Poll::Ready(Err(error)),
            };
            if !drained || tick.is_bulk(every) {
                continue;
            }
            match every {
                Some(every) if tick.bytes_read > 0 || tick.empty + 1 < QUIET => {
                    let now = Instant::now();
                    if tick.bytes_read > 0 {
                        this.last = Some(now);
                        tick.empty = 0;
                    } else {
                        tick.empty += 1;
                    }
                    tick.next(now, every, this.ticks.longest(), this.grid);
                }
                // The next poll of the socket resumes the wake-ups.
                _ if tick.from == tick.until => this.tick = None,
                _ => {}
            }
        }
    }
}

impl<S: Socket> Coalesced<S> {
    /// A request follows the last watch: its answer wakes the task again.
    fn before_write(&mut self, context: &Context<'_>) {
        let Some(tick) = &mut self.tick else { return };
        if self.ticks.every().is_none() && !tick.is_due {
            tick.is_due = true;
            context.waker().wake_by_ref();
        }
    }
}

impl<S: Socket> AsyncWrite for Coalesced<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write(context);
        Pin::new(&mut this.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write(context);
        Pin::new(&mut this.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

impl<S: Connection> Connection for Coalesced<S> {
    fn connected(&self) -> Connected {
        self.socket.connected().extra(self.ticks.clone())
    }
}

#[cfg(test)]
#[path = "coalesced_tests.rs"]
mod tests;
