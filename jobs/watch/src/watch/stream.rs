//! An open watch: its lines, its silence and its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::error::WatchError;
use super::heartbeat::GRACE;
use super::machine::SHORT_WATCH;
use super::reply::{self, send};
use super::{Run, SourceUpdate, State, Stop, Update};
use crate::Observation;
use crate::client::{Ticking, Ticks};
use crate::decode::{DecodeError, Line, Lines, WatchEvent, watch_line_with};
use crate::model::Watched;

/// The most updates that are decoded before they are delivered.
const AT_ONCE: usize = 256;

/// An open watch.
pub(super) struct Stream {
    body: Body,
    lines: Lines,
    began: Instant,
    /// The requested end.
    ends: Instant,
    /// The allowed silence; `None` up to the end.
    patience: Option<Duration>,
    last_event: Instant,
    has_events: bool,
    /// After a failure, a watch works once it delivers an event, ends in time, or has lived for a while.
    works: bool,
    /// Wakes the watch at a deadline, or earlier: a deadline that moves on does not move it.
    timer: Pin<Box<Sleep>>,
    /// Its connection is read in ticks.
    _ticking: Option<Ticking>,
}

/// The next part of a stream.
enum StreamRead {
    Data(Bytes),
    /// All that has arrived is read.
    Drained,
    /// Silent, but open for longer than a watch that fails at once.
    Survived,
    /// Silent for this long, though bookmarks are expected.
    Silent(Duration),
    End,
}

/// The deadlines of a silent stream.
#[derive(Clone, Copy)]
struct Deadlines {
    /// Whichever is first.
    until: Instant,
    silent: Instant,
    overdue: Instant,
}

impl Stream {
    /// Receives the next part; if `has_more`, only what has arrived.
    async fn receive(&mut self, is_doubted: bool, has_more: bool) -> Result<StreamRead, WatchError> {
        let deadlines = self.deadlines(is_doubted);
        let mut has_yielded = false;
        poll_fn(|context| {
            while let Poll::Ready(frame) = Pin::new(&mut self.body.frame()).poll(context) {
                let frame = match frame {
                    None => return Poll::Ready(Ok(StreamRead::End)),
                    // The cause may break the next watch at the same object.
                    Some(Err(_)) if self.lines.is_cut() => return Poll::Ready(Err(WatchError::Cut)),
                    Some(Err(error)) => {
                        return Poll::Ready(Err(WatchError::Connection(crate::client::explain(&error))));
                    }
                    Some(Ok(frame)) => frame,
                };
                if let Ok(data) = frame.into_data() {
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

    fn deadlines(&self, is_doubted: bool) -> Deadlines {
        let overdue = self.ends + GRACE;
        let silent = self
            .patience
            .map_or(overdue, |patience| overdue.min(self.last_event + patience));
        let until = match self.works || is_doubted {
            true => silent,
            false => silent.min(self.began + SHORT_WATCH),
        };
        Deadlines { until, silent, overdue }
    }

    fn poll_timer(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            if self.timer.deadline() >= until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(until);
        }
    }

    fn after_silence(&self, Deadlines { until, silent, overdue }: Deadlines) -> Result<StreamRead, WatchError> {
        let silence = self.last_event.elapsed();
        if until < silent {
            Ok(StreamRead::Survived)
        } else if self.lines.is_cut() {
            // Bytes arrive, and never a whole line.
            Err(WatchError::Slow(silence))
        } else if until < overdue {
            Ok(StreamRead::Silent(silence))
        } else if silence > GRACE {
            Err(WatchError::Silence(silence))
        } else {
            // Events arrive beyond the requested end: the watch works, and a new one is due.
            Ok(StreamRead::End)
        }
    }
}

impl<T: Watched> Run<T> {
    /// Opens a watch after `version`.
    pub(super) async fn connect(&mut self, version: &str) -> Result<State, Stop> {
        let timeout = self.heartbeat.timeout(self.api.random.fraction());
        let patience = self.heartbeat.patience(self.api.random.fraction());
        let request = self.api.target.watch(version, timeout.as_secs());
        let response = send(&self.api.client, request).await?;
        let began = Instant::now();
        let works = self.machine.failures() == 0 && self.gaps.is_connected();
        self.gaps.received(began);
        let ticks = response.extensions().get::<Ticks>();
        let ticking = ticks.map(|ticks| ticks.start(self.api.coalesce));
        Ok(State::Watching(Box::new(Stream {
            body: response.into_body(),
            lines: Lines::default(),
            began,
            ends: began + timeout,
            patience,
            last_event: began,
            has_events: false,
            works,
            timer: Box::pin(sleep_until(began + SHORT_WATCH)),
            _ticking: ticking,
        })))
    }

    /// Reads what has arrived at an open watch, or what follows from its silence.
    pub(super) async fn read(&mut self, mut stream: Box<Stream>) -> Result<State, Stop> {
        let read = self.read_arrived(&mut stream).await;
        for update in self.arrived.drain(..) {
            self.api.updates.send(update).await.map_err(|_| Stop::Closed)?;
        }
        match read? {
            StreamRead::Data(_) | StreamRead::Drained => Ok(State::Watching(stream)),
            StreamRead::Survived => {
                stream.works = true;
                self.machine.survived();
                self.resumed(stream.began).await?;
                Ok(State::Watching(stream))
            }
            StreamRead::Silent(silence) => {
                self.heartbeat.missed();
                Err(WatchError::Silence(silence).into())
            }
            StreamRead::End => self.ended(*stream).await,
        }
    }

    /// Decodes what has arrived, up to a limit.
    async fn read_arrived(&mut self, stream: &mut Stream) -> Result<StreamRead, WatchError> {
        let mut has_more = false;
        loop {
            let read = stream.receive(self.is_doubted, has_more).await?;
            let StreamRead::Data(data) = &read else { return Ok(read) };
            self.decode(stream, data)?;
            if self.arrived.len() >= AT_ONCE {
                return Ok(read);
            }
            has_more = true;
        }
    }

    fn decode(&mut self, stream: &mut Stream, data: &[u8]) -> Result<(), WatchError> {
        let now = Instant::now();
        let mut lines = std::mem::take(&mut stream.lines);
        let mut received = Ok(());
        lines.push(data, |line| {
            let event = match line {
                Line::Whole([]) => return,
                Line::Whole(line) => {
                    let target = &self.api.target;
                    let event = watch_line_with::<T>(line, target.wanted.as_deref());
                    event.and_then(|event| target.check_event(event))
                }
                Line::TooLong => Err(DecodeError::LineTooLong),
            };
            // After an `ERROR` event the watch ends.
            if received.is_ok() {
                received = self.receive(stream, event, now);
            }
        });
        stream.lines = lines;
        received
    }

    fn receive(
        &mut self,
        stream: &mut Stream,
        event: Result<WatchEvent<T>, DecodeError>,
        now: Instant,
    ) -> Result<(), WatchError> {
        let object = |object: T| (self.object)(Box::new(object));
        let (version, update) = match event {
            Ok(WatchEvent::Added(new) | WatchEvent::Modified(new)) => (
                new.metadata().resource_version.clone(),
                Update::Observed(Observation::Changed(object(new))),
            ),
            Ok(WatchEvent::Deleted(last)) => (
                last.metadata().resource_version.clone(),
                Update::Observed(Observation::Deleted(object(last))),
            ),
            Ok(WatchEvent::Bookmark { resource_version, .. }) => {
                self.heartbeat.bookmark(stream.ends.saturating_duration_since(now));
                (resource_version, Update::Alive)
            }
            Ok(WatchEvent::Error(status)) => return Err(reply::in_band(status)),
            // Its version is unknown and the next one passes it, so it is lost and counted. It is no sign that the watch
            // works: a server that sends nothing else must not be asked in a hot loop.
            Err(problem) => {
                self.arrives(Update::Undecodable(problem));
                return Ok(());
            }
        };
        stream.has_events = true;
        stream.last_event = now;
        self.gaps.received(now);
        if !std::mem::replace(&mut stream.works, true) {
            let gap = self.gaps.resumed(stream.began);
            self.arrives(Update::Healthy(gap));
        }
        self.is_doubted = false;
        self.arrives(update);
        // The update is delivered, unless its receiver is gone.
        self.machine.progressed(&version);
        Ok(())
    }

    fn arrives(&mut self, update: Update) {
        let source = self.api.target.source;
        self.arrived.push(SourceUpdate { source, update });
    }

    /// A watch ended. The end is a sign of life.
    async fn ended(&mut self, stream: Stream) -> Result<State, Stop> {
        self.gaps.received(Instant::now());
        if stream.lines.is_cut() {
            return Err(WatchError::Cut.into());
        }
        let (lived, jitter) = (stream.began.elapsed(), self.api.random.fraction());
        let pause = self.machine.watch_ended(lived, stream.has_events, jitter)?;
        match stream.works {
            true => self.send(Update::Alive).await?,
            false => self.resumed(stream.began).await?,
        }
        self.is_doubted = false;
        sleep(pause).await;
        Ok(State::of(&self.machine))
    }
}
