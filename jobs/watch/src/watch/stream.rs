//! An open watch: its events, its silence and its end.

use std::time::Duration;

use bytes::Bytes;
use kube::client::Body;
use tokio::time::{Instant, sleep};

use super::error::WatchError;
use super::heartbeat::GRACE;
use super::machine::SHORT_WATCH;
use super::reply::{self, next_data, send};
use super::{Run, State, Stop, Update};
use crate::Observation;
use crate::decode::{BrokenStream, DecodeError, EventReader, WatchEvent};
use crate::model::Watched;

/// An open watch.
pub(super) struct Stream {
    body: Body,
    events: EventReader,
    began: Instant,
    /// The requested end.
    ends: Instant,
    /// The allowed silence; `None` up to the end.
    patience: Option<Duration>,
    last_event: Instant,
    has_events: bool,
    /// After a failure, a watch works once it delivers an event, ends in time, or has lived for a while.
    works: bool,
}

/// The next part of a stream.
enum StreamRead {
    Data(Bytes),
    /// Silent, but open for longer than a watch that fails at once.
    Survived,
    /// Silent for this long, though bookmarks are expected.
    Silent(Duration),
    End,
}

impl Stream {
    async fn receive(&mut self, is_doubted: bool) -> Result<StreamRead, WatchError> {
        let overdue = self.ends + GRACE;
        let silent = self
            .patience
            .map_or(overdue, |patience| overdue.min(self.last_event + patience));
        let until = match self.works || is_doubted {
            true => silent,
            false => silent.min(self.began + SHORT_WATCH),
        };
        let silence = match next_data(&mut self.body, until.saturating_duration_since(Instant::now())).await {
            Ok(Some(data)) => return Ok(StreamRead::Data(data)),
            Ok(None) => return Ok(StreamRead::End),
            // The cause may break the next watch at the same object.
            Err(WatchError::Connection(_)) if self.events.is_cut() => return Err(WatchError::Cut),
            Err(WatchError::Silence(_)) => self.last_event.elapsed(),
            Err(error) => return Err(error),
        };
        if until < silent {
            Ok(StreamRead::Survived)
        } else if self.events.is_cut() {
            // Bytes arrive, and never a whole event.
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
        let encoding = self.negotiation.encoding();
        let request = self.api.target.watch(version, timeout.as_secs(), encoding);
        let response = send(&self.api.client, request).await?;
        let began = Instant::now();
        let works = self.machine.failures() == 0 && self.gaps.is_connected();
        self.gaps.received(began);
        Ok(State::Watching(Box::new(Stream {
            events: EventReader::new(reply::encoding_of(&response)),
            body: response.into_body(),
            began,
            ends: began + timeout,
            patience,
            last_event: began,
            has_events: false,
            works,
        })))
    }

    /// Reads one chunk of an open watch.
    pub(super) async fn read(&mut self, mut stream: Box<Stream>) -> Result<State, Stop> {
        let data = match stream.receive(self.is_doubted).await? {
            StreamRead::Data(data) => data,
            StreamRead::Survived => {
                stream.works = true;
                self.machine.survived();
                self.resumed(stream.began).await?;
                return Ok(State::Watching(stream));
            }
            StreamRead::Silent(silence) => {
                self.heartbeat.missed();
                return Err(WatchError::Silence(silence).into());
            }
            StreamRead::End => return self.ended(*stream).await,
        };
        let target = &self.api.target;
        let mut events = Vec::new();
        let read = stream.events.push(&data, target.wanted.as_deref(), |event| {
            events.push(event.and_then(|event: WatchEvent<T>| target.check_event(event)));
        });
        for event in events {
            self.receive(&mut stream, event).await?;
        }
        match read {
            Ok(()) => Ok(State::Watching(stream)),
            Err(BrokenStream(problem)) => Err(WatchError::Protobuf(problem).into()),
        }
    }

    async fn receive(&mut self, stream: &mut Stream, event: Result<WatchEvent<T>, DecodeError>) -> Result<(), Stop> {
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
                let left = stream.ends.saturating_duration_since(Instant::now());
                self.heartbeat.bookmark(left);
                (resource_version, Update::Alive)
            }
            Ok(WatchEvent::Error(status)) => return Err(reply::in_band(status).into()),
            // Its version is unknown and the next one passes it, so it is lost and counted. It is no sign that the watch
            // works: a server that sends nothing else must not be asked in a hot loop.
            Err(problem) => return self.send(Update::Undecodable(problem)).await,
        };
        stream.has_events = true;
        self.negotiation.received();
        stream.last_event = Instant::now();
        self.gaps.received(stream.last_event);
        if !std::mem::replace(&mut stream.works, true) {
            self.resumed(stream.began).await?;
        }
        self.is_doubted = false;
        self.send(update).await?;
        // After the update is delivered: an update that is not must be requested again.
        self.machine.progressed(&version);
        Ok(())
    }

    /// A watch ended. The end is a sign of life.
    async fn ended(&mut self, stream: Stream) -> Result<State, Stop> {
        self.gaps.received(Instant::now());
        if stream.events.is_cut() {
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
