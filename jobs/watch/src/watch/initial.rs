//! A streaming list: its request, its initial events, and the watch that follows them on the same connection.

use tokio::time::Instant;

use super::error::WatchError;
use super::heartbeat::Heartbeat;
use super::machine::Phase;
use super::reply::{self, send};
use super::stream::Stream;
use super::streaming::{Fallback, SILENCE, fallback};
use super::{Run, State, Stop, Update};
use crate::Observation;
use crate::decode::{DecodeError, WatchEvent};
use crate::model::Watched;

impl<T: Watched> Run<T> {
    /// True if the list that is due is to be streamed.
    pub(super) async fn streams_list(&self) -> bool {
        self.machine.may_stream() && self.api.streaming.are_offered(&self.api.client).await
    }

    /// Opens a streaming list.
    pub(super) async fn open_list(&mut self) -> Result<State, Stop> {
        self.machine.stream_begins();
        let length = Heartbeat::list_timeout(self.api.random.fraction());
        let request = self.api.target.stream(length.as_secs(), self.negotiation.encoding());
        let response = send(&self.api.client, request).await?;
        // A list is read as it arrives: in ticks, the server would wait for room in the kernel's buffer.
        let mut stream = Stream::new(response, length);
        self.negotiation.opened(stream.events.format());
        stream.patience = Some(SILENCE);
        Ok(State::Watching(Box::new(stream)))
    }

    /// Applies an event, received at `now`, of a list that is not complete. A bookmark completes it.
    pub(super) fn initial(
        &mut self,
        stream: &mut Stream,
        event: Result<WatchEvent<T>, DecodeError>,
        now: Instant,
    ) -> Result<(), WatchError> {
        let object = |object: T| (self.object)(Box::new(object));
        let observation = match event {
            // An object that changes or is deleted meanwhile may follow before the end of the list.
            Ok(WatchEvent::Added(listed) | WatchEvent::Modified(listed)) => Observation::Listed(object(listed)),
            Ok(WatchEvent::Deleted(last)) => Observation::Deleted(object(last)),
            Ok(WatchEvent::Bookmark {
                resource_version,
                initial_events_end: true,
            }) => return self.initial_end(stream, &resource_version, now),
            // A server that ignores the parameters of a streaming list sends the objects as well, and then this.
            Ok(WatchEvent::Bookmark { .. }) => {
                return Err(WatchError::NotStreamed(
                    "found a bookmark that does not end the list".into(),
                ));
            }
            Ok(WatchEvent::Error(status)) => return Err(reply::in_band(status)),
            Err(problem) => {
                self.initial_event(stream, Observation::ListLacks, now);
                self.arrives(Update::Undecodable(problem));
                return Ok(());
            }
        };
        self.initial_event(stream, observation, now);
        Ok(())
    }

    fn initial_event(&mut self, stream: &mut Stream, observation: Observation, now: Instant) {
        if self.machine.stream_received() {
            self.observed(Observation::ListBegins);
        }
        self.observed(observation);
        stream.last_event = now;
    }

    /// The list is complete at this version. The only place where a watch continues on the connection of its list, unless another
    /// one starts at an earlier version.
    fn initial_end(&mut self, stream: &mut Stream, version: &str, now: Instant) -> Result<(), WatchError> {
        let is_empty = self.machine.stream_received();
        self.machine.stream_complete(version)?;
        if is_empty {
            self.observed(Observation::ListBegins);
        }
        self.list_complete();
        stream.is_left = self.machine.replay().is_some();
        (stream.began, stream.last_event) = (now, now);
        stream.works = self.machine.failures() == 0 && self.gaps.is_connected();
        stream.patience = self.heartbeat.patience(self.api.random.fraction());
        let first_watch = self.heartbeat.first_watch(self.api.random.fraction());
        stream.is_due = first_watch.map(|length| now + length);
        stream.coalesce(self.api.coalesce);
        Ok(())
    }

    /// True if the list continues in pages, at once, after this failure of its stream. That is no failure of the list.
    pub(super) fn falls_back(&mut self, failure: &WatchError) -> bool {
        let Phase::Stream { .. } = self.machine.phase() else {
            return false;
        };
        let Some(fallback) = fallback(failure) else {
            return false;
        };
        self.machine.read_pages();
        let what = self.api.target.describe();
        if fallback == Fallback::AllLists && self.api.streaming.refused() {
            tracing::info!(what, %failure, "the API server does not stream lists; reading them in pages");
        } else {
            tracing::debug!(what, %failure, "the list is not streamed; reading it in pages");
        }
        true
    }
}
