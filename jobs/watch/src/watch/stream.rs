//! An open watch: its events, its silence and its end.

use std::time::Duration;

use bytes::Bytes;
use kube::client::Body;
use tokio::time::{Instant, sleep};

use super::error::WatchError;
use super::heartbeat::GRACE;
use super::machine::{Phase, SHORT_WATCH};
use super::reply::{self, next_data, send};
use super::{Run, State, Stop, Update};
use crate::Observation;
use crate::decode::{BrokenStream, DecodeError, Events, WatchEvent};
use crate::model::Watched;

/// A watch that starts in the past sends what it has at once. After this much silence it has sent everything.
const REPLAYED: Duration = Duration::from_millis(500);

/// An open watch, or a streaming list.
pub(super) struct Stream {
    body: Body,
    events: Events,
    pub(super) began: Instant,
    /// The requested end.
    ends: Instant,
    /// When it is silent next, another watch replaces it, which is neither an end nor a failure.
    pub(super) is_due: Option<Instant>,
    /// The allowed silence; `None` up to the end.
    pub(super) patience: Option<Duration>,
    pub(super) last_event: Instant,
    /// When the last bytes arrived.
    last_data: Instant,
    has_events: bool,
    /// After a failure, a watch works once it delivers an event, ends in time, or has lived for a while.
    pub(super) works: bool,
}

/// The next part of a stream.
enum StreamRead {
    Data(Bytes),
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

impl Stream {
    /// A stream that has received nothing, with this requested length.
    pub(super) fn new(body: Body, events: Events, length: Duration) -> Self {
        let began = Instant::now();
        Stream {
            body,
            events,
            began,
            ends: began + length,
            is_due: None,
            patience: None,
            last_event: began,
            last_data: began,
            has_events: false,
            works: true,
        }
    }

    async fn receive(&mut self, is_doubted: bool, replays: bool) -> Result<StreamRead, WatchError> {
        let overdue = self.ends + GRACE;
        let silent = self
            .patience
            .map_or(overdue, |patience| overdue.min(self.last_event + patience));
        let until = match self.works || is_doubted {
            true => silent,
            false => silent.min(self.began + SHORT_WATCH),
        };
        let replayed = (replays && !self.events.is_cut()).then(|| self.last_data + REPLAYED);
        let until = replayed.map_or(until, |replayed| until.min(replayed));
        let due = self.is_due.filter(|due| *due < until && !self.events.is_cut());
        let wait = due.unwrap_or(until).saturating_duration_since(Instant::now());
        let silence = match next_data(&mut self.body, wait).await {
            Ok(Some(data)) => {
                self.last_data = Instant::now();
                return Ok(StreamRead::Data(data));
            }
            Ok(None) => return Ok(StreamRead::End),
            Err(WatchError::Silence(_)) if due.is_some() => return Ok(StreamRead::Due),
            // The cause may break the next watch at the same object.
            Err(WatchError::Connection(_)) if self.events.is_cut() => return Err(WatchError::Cut),
            Err(WatchError::Silence(_)) => self.last_event.elapsed(),
            Err(error) => return Err(error),
        };
        if replayed == Some(until) {
            Ok(StreamRead::Replayed)
        } else if until < silent {
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
        let events = Events::new(reply::encoding_of(&response));
        let mut stream = Stream::new(response.into_body(), events, timeout);
        stream.patience = patience;
        stream.works = self.machine.failures() == 0 && self.gaps.is_connected();
        self.gaps.received(stream.began);
        Ok(State::Watching(Box::new(stream)))
    }

    /// Reads one chunk of an open watch or streaming list.
    pub(super) async fn read(&mut self, mut stream: Box<Stream>) -> Result<State, Stop> {
        let replays = self.machine.replay().is_some();
        let data = match stream.receive(self.is_doubted, replays).await? {
            StreamRead::Data(data) => data,
            StreamRead::Replayed => {
                self.replay_ends(true).await?;
                return Ok(State::Watching(stream));
            }
            StreamRead::Survived => {
                stream.works = true;
                self.machine.survived();
                self.resumed(stream.began).await?;
                return Ok(State::Watching(stream));
            }
            StreamRead::Silent(silence) if self.is_listing() => {
                let problem = format!("nothing received for {} s", silence.as_secs());
                return Err(WatchError::NotStreamed(problem).into());
            }
            StreamRead::Silent(silence) => {
                self.heartbeat.missed();
                return Err(WatchError::Silence(silence).into());
            }
            StreamRead::Due => return Ok(State::of(&self.machine)),
            StreamRead::End => return self.ended(*stream).await,
        };
        let target = &self.api.target;
        let mut events = Vec::new();
        let read = stream.events.push(&data, target.wanted.as_deref(), |event| {
            events.push(event.and_then(|event: WatchEvent<T>| target.check_event(event)));
        });
        for event in events {
            if !self.is_listing() {
                self.receive(&mut stream, event).await?;
                continue;
            }
            self.initial(&mut stream, event).await?;
            // Another watch replays what was before the list, and then the rest of this one.
            if self.machine.replay().is_some() {
                return Ok(State::of(&self.machine));
            }
        }
        match read {
            Ok(()) => Ok(State::Watching(stream)),
            Err(BrokenStream(problem)) => Err(WatchError::Protobuf(problem).into()),
        }
    }

    /// True while a list is streamed.
    fn is_listing(&self) -> bool {
        matches!(self.machine.phase(), Phase::Stream { .. })
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
                self.position(resource_version.parse().ok()).await?;
                // From now on a missing bookmark shows that it is dead.
                if stream.is_due.take().is_some() {
                    stream.patience = self.heartbeat.patience(self.api.random.fraction());
                }
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
        let replays = self.machine.replay().is_some();
        self.machine.progressed(&version);
        if replays && self.machine.replay().is_none() {
            self.replay_ends(true).await?;
        }
        Ok(())
    }

    /// A watch ended. The end is a sign of life.
    async fn ended(&mut self, stream: Stream) -> Result<State, Stop> {
        let is_listing = self.is_listing();
        if !is_listing {
            self.gaps.received(Instant::now());
        }
        if stream.events.is_cut() {
            return Err(WatchError::Cut.into());
        }
        if is_listing {
            return Err(WatchError::NotStreamed("it ended before the end of the list".into()).into());
        }
        // At its end a watch has sent everything.
        if self.machine.replay().is_some() {
            self.replay_ends(true).await?;
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
