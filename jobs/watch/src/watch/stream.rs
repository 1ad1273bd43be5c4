//! An open watch or streaming list: its data, its silence and its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::WatchError;
use super::heartbeat::GRACE;
use super::machine::SHORT_WATCH;
use super::reply::encoding_of;
use crate::client::{Coalesce, Ticking, Ticks};
use crate::decode::EventReader;

/// A watch that starts in the past sends what it has at once. After this much silence it has sent everything.
const REPLAYED: Duration = Duration::from_millis(500);

/// An open watch, or a streaming list.
pub(super) struct Stream {
    body: Body,
    pub(super) events: EventReader,
    pub(super) began: Instant,
    /// The requested end.
    pub(super) ends: Instant,
    /// When it is silent next, another watch replaces it, which is neither an end nor a failure.
    pub(super) is_due: Option<Instant>,
    /// Another watch replaces it at once.
    pub(super) is_left: bool,
    /// The allowed silence; `None` up to the end.
    pub(super) patience: Option<Duration>,
    pub(super) last_event: Instant,
    /// When the last bytes arrived.
    last_data: Instant,
    pub(super) has_events: bool,
    /// After a failure, a watch works once it delivers an event, ends in time, or has lived for a while.
    pub(super) works: bool,
    /// Wakes the watch at a deadline, or earlier: a deadline that moves on does not move it.
    timer: Pin<Box<Sleep>>,
    /// The ticks of its connection.
    ticks: Option<Ticks>,
    /// Set while its connection is read in ticks.
    ticking: Option<Ticking>,
}

/// The next part of a stream.
pub(super) enum StreamRead {
    Data(Bytes),
    /// All that has arrived is read.
    Drained,
    /// Silent, but open for longer than a watch that fails at once.
    Survived,
    /// Silent for longer than a server pauses between the changes of a replay.
    Replayed,
    /// Silent for this long, though more is expected.
    Silent(Duration),
    /// Silent, and to be replaced.
    Due,
    End,
}

/// How a stream is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The last watch was silent too long, so the silence of this one is no sign that it works.
    pub(super) is_doubted: bool,
    /// Changes from before the list are expected.
    pub(super) replays: bool,
}

/// The deadlines of a silent stream.
#[derive(Clone, Copy)]
struct Deadlines {
    /// Whichever is first.
    until: Instant,
    is_due: bool,
    is_replayed: bool,
    silent: Instant,
    overdue: Instant,
}

impl Stream {
    /// A stream that has received nothing, with this requested length.
    pub(super) fn new(response: Response<Body>, length: Duration) -> Self {
        let began = Instant::now();
        let ticks = response.extensions().get::<Ticks>().cloned();
        Stream {
            events: EventReader::new(encoding_of(&response)),
            body: response.into_body(),
            began,
            ends: began + length,
            is_due: None,
            is_left: false,
            patience: None,
            last_event: began,
            last_data: began,
            has_events: false,
            works: true,
            timer: Box::pin(sleep_until(began + REPLAYED)),
            ticks,
            ticking: None,
        }
    }

    /// Reads its connection in ticks from now on.
    pub(super) fn coalesce(&mut self, coalesce: Coalesce) {
        self.ticking = self.ticks.as_ref().map(|ticks| ticks.start(coalesce));
    }

    /// By how much longer than the first ticks of a burst the last part may have waited to be read.
    pub(super) fn extra_wait(&self) -> Duration {
        self.ticking.as_ref().map_or(Duration::ZERO, Ticking::excess)
    }

    /// Receives the next part; if `has_more`, only what has arrived.
    pub(super) async fn receive(&mut self, reading: Reading, has_more: bool) -> Result<StreamRead, WatchError> {
        let deadlines = self.deadlines(reading);
        let mut has_yielded = false;
        poll_fn(|context| {
            while let Poll::Ready(frame) = Pin::new(&mut self.body.frame()).poll(context) {
                let frame = match frame {
                    None => return Poll::Ready(Ok(StreamRead::End)),
                    // The cause may break the next watch at the same object.
                    Some(Err(_)) if self.events.is_cut() => return Poll::Ready(Err(WatchError::Cut)),
                    Some(Err(error)) => {
                        return Poll::Ready(Err(WatchError::Connection(crate::client::explain(&error))));
                    }
                    Some(Ok(frame)) => frame,
                };
                if let Ok(data) = frame.into_data() {
                    self.last_data = Instant::now();
                    return Poll::Ready(Ok(StreamRead::Data(data)));
                }
            }
            if has_more {
                if has_yielded {
                    return Poll::Ready(Ok(StreamRead::Drained));
                }
                // The task of the connection passes the next part only after this one was taken.
                has_yielded = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_timer(deadlines.until, context));
            Poll::Ready(self.after_silence(deadlines))
        })
        .await
    }

    fn deadlines(&self, reading: Reading) -> Deadlines {
        let overdue = self.ends + GRACE;
        let silent = self
            .patience
            .map_or(overdue, |patience| overdue.min(self.last_event + patience));
        let until = match self.works || reading.is_doubted {
            true => silent,
            false => silent.min(self.began + SHORT_WATCH),
        };
        let is_whole = !self.events.is_cut();
        let replayed = (reading.replays && is_whole).then(|| self.last_data + REPLAYED);
        let replayed = replayed.filter(|replayed| *replayed < until);
        let until = replayed.unwrap_or(until);
        let due = self.is_due.filter(|due| is_whole && *due < until);
        Deadlines {
            until: due.unwrap_or(until),
            is_due: due.is_some(),
            is_replayed: replayed.is_some(),
            silent,
            overdue,
        }
    }

    fn poll_timer(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        // A deadline that moves closer moves the timer.
        if self.timer.deadline() > until {
            self.timer.as_mut().reset(until);
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            if self.timer.deadline() >= until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(until);
        }
    }

    fn after_silence(&self, deadlines: Deadlines) -> Result<StreamRead, WatchError> {
        let silence = self.last_event.elapsed();
        if deadlines.is_due {
            Ok(StreamRead::Due)
        } else if deadlines.is_replayed {
            Ok(StreamRead::Replayed)
        } else if deadlines.until < deadlines.silent {
            Ok(StreamRead::Survived)
        } else if self.events.is_cut() {
            // Bytes arrive, and never a whole event.
            Err(WatchError::Slow(silence))
        } else if deadlines.until < deadlines.overdue {
            Ok(StreamRead::Silent(silence))
        } else if silence > GRACE {
            Err(WatchError::Silence(silence))
        } else {
            // Events arrive beyond the requested end: the watch works, and a new one is due.
            Ok(StreamRead::End)
        }
    }
}
