//! Opens a watch, and applies what is read of a watch or a streaming list.

use tokio::time::{Duration, Instant, sleep};

use super::error::WatchError;
use super::machine::Phase;
use super::reply::{self, send};
use super::stream::{Reading, Stream, StreamRead};
use super::{Run, State, Stop, Update};
use crate::Observation;
use crate::decode::{BrokenStream, DecodeError, WatchEvent};
use crate::model::Watched;

/// The most updates that are decoded before they are delivered.
const AT_ONCE: usize = 256;

impl<T: Watched> Run<T> {
    /// Opens a watch after `version`.
    pub(super) async fn connect(&mut self, version: &str) -> Result<State, Stop> {
        let timeout = self.heartbeat.timeout(self.api.random.fraction());
        let patience = self.heartbeat.patience(self.api.random.fraction());
        let encoding = self.negotiation.encoding();
        let request = self.api.target.watch(version, timeout.as_secs(), encoding);
        let response = send(&self.api.client, request).await?;
        let mut stream = Stream::new(response, timeout);
        stream.coalesce(self.api.coalesce);
        self.negotiation.opened(stream.events.format());
        stream.patience = patience;
        stream.works = self.machine.failures() == 0 && self.gaps.is_connected();
        self.gaps.received(stream.began);
        Ok(State::Watching(Box::new(stream)))
    }

    /// Reads what has arrived at an open watch or streaming list, or what follows from its silence.
    pub(super) async fn read(&mut self, mut stream: Box<Stream>) -> Result<State, Stop> {
        let read = self.read_arrived(&mut stream).await;
        if !self.arrived.is_empty() {
            self.deliver().await?;
            if self.is_listing() {
                // The time that the receiver's task takes is no silence of the server.
                stream.last_event = Instant::now();
            }
        }
        match read? {
            StreamRead::Due => return Ok(State::of(&self.machine)),
            _ if stream.is_left => return Ok(State::of(&self.machine)),
            StreamRead::Data(_) | StreamRead::Drained => {}
            StreamRead::Replayed => self.replay_ends(true),
            StreamRead::Survived => {
                stream.works = true;
                self.machine.survived();
                self.resumed(stream.began);
            }
            StreamRead::Silent(silence) if self.is_listing() => {
                let problem = format!("nothing received for {} s", silence.as_secs());
                return Err(WatchError::NotStreamed(problem).into());
            }
            StreamRead::Silent(silence) => {
                self.heartbeat.missed();
                return Err(WatchError::Silence(silence).into());
            }
            StreamRead::End => return self.ended(*stream).await,
        }
        Ok(State::Watching(stream))
    }

    /// Decodes what has arrived, up to a limit.
    async fn read_arrived(&mut self, stream: &mut Stream) -> Result<StreamRead, WatchError> {
        let mut has_more = false;
        loop {
            let reading = Reading {
                is_doubted: self.is_doubted,
                replays: self.machine.replay().is_some(),
            };
            let read = stream.receive(reading, has_more).await?;
            let StreamRead::Data(data) = &read else { return Ok(read) };
            self.decode(stream, data)?;
            if self.arrived.len() >= AT_ONCE || stream.is_left {
                return Ok(read);
            }
            has_more = true;
        }
    }

    fn decode(&mut self, stream: &mut Stream, data: &[u8]) -> Result<(), WatchError> {
        let now = Instant::now();
        self.extra_wait = stream.extra_wait();
        let mut events = std::mem::take(&mut stream.events);
        let wanted = self.api.target.wanted.clone();
        let mut received = Ok(());
        let read = events.push(data, wanted.as_deref(), |event| {
            // After an `ERROR` event the watch ends.
            if received.is_err() || stream.is_left {
                return;
            }
            let event = event.and_then(|event| self.api.target.check_event(event));
            received = match self.is_listing() {
                true => self.initial(stream, event, now),
                false => self.receive(stream, event, now),
            };
        });
        stream.events = events;
        self.extra_wait = Duration::ZERO;
        received?;
        read.map_err(|BrokenStream(problem)| WatchError::Protobuf(problem))
    }

    /// True while a list is streamed.
    fn is_listing(&self) -> bool {
        matches!(self.machine.phase(), Phase::Stream { .. })
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
                self.position(resource_version.parse().ok());
                // From now on a missing bookmark shows that it is dead.
                if stream.is_due.take().is_some() {
                    stream.patience = self.heartbeat.patience(self.api.random.fraction());
                }
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
        self.negotiation.received();
        stream.has_events = true;
        stream.last_event = now;
        self.gaps.received(now);
        if !std::mem::replace(&mut stream.works, true) {
            self.resumed(stream.began);
        }
        self.is_doubted = false;
        self.arrives(update);
        // The update is delivered, unless its receiver is gone.
        let replays = self.machine.replay().is_some();
        self.machine.progressed(&version);
        if replays && self.machine.replay().is_none() {
            self.replay_ends(true);
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
        // A watch that ends while it replays may have more to send, which the next one does.
        if self.machine.replay().is_some() && !stream.has_events {
            self.replay_ends(true);
        }
        let (lived, jitter) = (stream.began.elapsed(), self.api.random.fraction());
        let pause = self.machine.watch_ended(lived, stream.has_events, jitter)?;
        match stream.works {
            true => self.arrives(Update::Alive),
            false => self.resumed(stream.began),
        }
        self.is_doubted = false;
        self.deliver().await?;
        sleep(pause).await;
        Ok(State::of(&self.machine))
    }
}
