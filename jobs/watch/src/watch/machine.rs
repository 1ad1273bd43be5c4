//! The state machine of a list and watch. Pure: no I/O, no clock, randomness passed in.

#[cfg(test)]
mod tests;

use std::time::Duration;

use pacing::Backoff;
use smol_str::SmolStr;

use super::error::WatchError;
use super::listing::{Listing, Progress, goes_back};
use crate::decode::ListPage;

const FIRST_DELAY: Duration = Duration::from_millis(800);
/// Before a list, which costs the server much. The jitter keeps replicas from returning in step.
const LIST: Backoff = Backoff::new(FIRST_DELAY, Duration::from_secs(30)).jitter(0.5, 1.0);
/// Before a request that costs the server little: a watch that resumes, or a server that was not reached. A Job that
/// finishes meanwhile is reported within seconds after the API server is back.
const WATCH: Backoff = Backoff::new(FIRST_DELAY, Duration::from_secs(3)).jitter(0.5, 1.0);
/// The delay, with jitter, before a forbidden list of optional objects is retried.
const DENIED_DELAY: Duration = Duration::from_secs(400);
/// The longest `Retry-After` that is respected.
const LAST_RETRY_AFTER: Duration = Duration::from_secs(120);
/// A watch that ends sooner, without an event, has failed.
pub const SHORT_WATCH: Duration = Duration::from_secs(5);
/// The watch relists after this many `ERROR` events in a row.
const IN_BAND_FAILURES: u32 = 3;
/// The watch relists after this many watches that end inside of an object, or cannot be read, at the same version: the
/// next object may be too large for a proxy.
const UNREAD_FAILURES: u32 = 3;
/// A list is read in pages after this many streams that fail while the server is reached: a proxy may end long replies.
const STREAM_FAILURES: u32 = 2;

/// The next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Read the next page of [`Machine::listing`], or stream the list if [`Machine::may_stream`].
    List,
    /// Read the initial events of a streaming list.
    Stream {
        /// True after the first of them.
        received: bool,
    },
    /// Watch the changes.
    Watch {
        /// The version to watch from.
        version: SmolStr,
    },
}

/// The retry after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPlan {
    /// The delay before it.
    pub after: Duration,
    /// True if it starts with the first page of a list.
    pub relists: bool,
}

/// The state of one list and watch.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    listing: Listing,
    failures: u32,
    /// The watches from the same version that could not be read to their end.
    unread: u32,
    /// The last version of the watch before this list.
    watched: SmolStr,
    /// A list of an earlier version was rejected once.
    is_doubted: bool,
    /// After the first list the watch starts at this version, at which an earlier process stopped.
    resume: Option<u64>,
    /// The version of the list, until the watch that started before it has passed it.
    replay: Option<u64>,
    /// The current list is read in pages.
    is_paged: bool,
    /// The failed streams of the current list.
    failed_streams: u32,
}

impl Machine {
    /// Starts with a list.
    pub fn new() -> Self {
        Machine::resuming(None)
    }

    /// Starts with a list, and then watches from `version`, at which an earlier process stopped: the changes since then are
    /// replayed, so that objects created and deleted meanwhile are observed too.
    pub fn resuming(version: Option<u64>) -> Self {
        Machine {
            phase: Phase::List,
            listing: Listing::new(),
            failures: 0,
            unread: 0,
            watched: "".into(),
            is_doubted: false,
            resume: version,
            replay: None,
            is_paged: false,
            failed_streams: 0,
        }
    }

    /// The next request.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The current list, in [`Phase::List`].
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// True if a list is due that may be streamed.
    pub fn may_stream(&self) -> bool {
        let is_due = self.phase == Phase::List && self.listing.token().is_empty();
        is_due && !self.is_paged && self.failed_streams < STREAM_FAILURES
    }

    /// The due list is requested as a stream.
    pub fn stream_begins(&mut self) {
        self.phase = Phase::Stream { received: false };
    }

    /// Records an initial event. Returns true for the first one of the list.
    pub fn stream_received(&mut self) -> bool {
        match &mut self.phase {
            Phase::Stream { received } => !std::mem::replace(received, true),
            Phase::List | Phase::Watch { .. } => false,
        }
    }

    /// Records the end of the initial events: the list is complete, and of this version.
    ///
    /// # Errors
    /// No watch can begin at the version, or it was rejected once.
    pub fn stream_complete(&mut self, version: &str) -> Result<(), WatchError> {
        if matches!(version, "" | "0") {
            return Err(WatchError::NotStreamed("its end has no resourceVersion".into()));
        }
        self.check_age(version)?;
        self.listed(version.into());
        Ok(())
    }

    /// The current list restarts; a watch stays open.
    pub fn restart_list(&mut self) {
        if let Phase::Stream { .. } = self.phase {
            self.phase = Phase::List;
        }
    }

    /// The current list is read in pages instead of a stream, from its first page.
    pub fn read_pages(&mut self) {
        self.phase = Phase::List;
        self.is_paged = true;
    }

    /// Records a page of the list. Returns true for the last page.
    ///
    /// # Errors
    /// The page does not belong to the list.
    pub fn page_read(&mut self, page: &ListPage<'_>) -> Result<bool, WatchError> {
        if self.listing.token().is_empty() {
            self.check_age(&page.resource_version)?;
        }
        let Progress::Complete(version) = self.listing.page_read(page)? else {
            return Ok(false);
        };
        self.listed(version);
        Ok(true)
    }

    /// Checks the version of a list against that of the watch before it.
    fn check_age(&mut self, version: &str) -> Result<(), WatchError> {
        let watched = &self.watched;
        // A cluster restored from a backup has an earlier version, and so does every later list. A single such list is
        // from a stale cache.
        let goes_back = !watched.is_empty() && goes_back(watched, version);
        if goes_back && !std::mem::replace(&mut self.is_doubted, true) {
            return Err(WatchError::BadList(format!(
                "resourceVersion {version} is older than {watched}, which was already observed"
            )));
        }
        Ok(())
    }

    /// The list is complete, and of this version.
    fn listed(&mut self, version: SmolStr) {
        // Versions that are not numbers have no order. A stored version after that of the list is of another cluster, or of this
        // one before a backup was restored.
        let from = self.resume.take().zip(version.parse().ok());
        let from = from.filter(|(from, listed)| from < listed);
        self.replay = from.map(|(_, listed)| listed);
        let version = from.map_or(version, |(from, _)| from.to_string().into());
        self.phase = Phase::Watch { version };
        self.watched = "".into();
        (self.unread, self.failed_streams) = (0, 0);
        (self.is_doubted, self.is_paged) = (false, false);
    }

    /// While changes from before the list are replayed: the version of the list.
    pub fn replay(&self) -> Option<u64> {
        self.replay
    }

    /// Records that everything is replayed.
    pub fn replayed(&mut self) {
        self.replay = None;
    }

    /// Records a failure of the replay. Returns true if the server no longer has the changes: the watch then starts at the
    /// version of the list.
    pub fn replay_expired(&mut self, failure: &WatchError) -> bool {
        // Not 504, by which a server says that its cache has not reached the version yet: the version is before that of the list, so it
        // will. Source: `NewTooLargeResourceVersionError` in `k8s.io/apiserver/pkg/storage`.
        let expired = matches!(failure, WatchError::Status { code: 400 | 410, .. });
        let listed = self.replay.take_if(|_| expired);
        if let Some(listed) = listed {
            let version = listed.to_string().into();
            self.phase = Phase::Watch { version };
        }
        listed.is_some()
    }

    /// Records a change or bookmark of this version. An empty version is ignored.
    pub fn progressed(&mut self, version: &str) {
        (self.failures, self.unread) = (0, 0);
        if !version.is_empty() {
            self.replay
                .take_if(|listed| version.parse().is_ok_and(|version: u64| version >= *listed));
            self.phase = Phase::Watch {
                version: version.into(),
            };
        }
    }

    /// Records that the watch has lived longer than those that fail at once.
    pub fn survived(&mut self) {
        self.failures = 0;
    }

    /// Records the regular end of a watch after `lived`; `has_events` is true if it delivered an event. Returns the delay
    /// before the next watch. `jitter` as in [`Machine::failed`].
    ///
    /// # Errors
    /// It ended too soon, without an event.
    pub fn watch_ended(&mut self, lived: Duration, has_events: bool, jitter: f64) -> Result<Duration, WatchError> {
        if lived >= SHORT_WATCH {
            self.failures = 0;
            return Ok(Duration::ZERO);
        }
        // The next watch at once would be a hot loop.
        match has_events {
            true => Ok(WATCH.spread(FIRST_DELAY, jitter)),
            false => Err(WatchError::Empty),
        }
    }

    /// The delay before a forbidden list of optional objects is retried; about 5 minutes.
    pub fn denied_delay(jitter: f64) -> Duration {
        LIST.spread(DENIED_DELAY, jitter)
    }

    /// Records a failure. `jitter` in 0..1 spreads the delay over its upper half, so that replicas do not return in step.
    pub fn failed(&mut self, failure: &WatchError, jitter: f64) -> RetryPlan {
        self.failures = self.failures.saturating_add(1);
        let watching = matches!(self.phase, Phase::Watch { .. });
        if watching
            && matches!(
                failure,
                WatchError::Cut | WatchError::Slow(_) | WatchError::Unreadable(_) | WatchError::Protobuf(_)
            )
        {
            self.unread += 1;
        }
        let relists = match failure {
            WatchError::Status { code: 400 | 410, .. } => true,
            WatchError::Status { in_band: true, .. } => self.failures >= IN_BAND_FAILURES,
            _ => self.unread >= UNREAD_FAILURES,
        };
        let is_cheap = match &self.phase {
            Phase::Watch { .. } => !relists,
            Phase::Stream { received } => !received && matches!(failure, WatchError::Connection(_)),
            Phase::List => self.listing.token().is_empty() && matches!(failure, WatchError::Connection(_)),
        };
        match &mut self.phase {
            Phase::Watch { version } if relists => {
                self.watched = std::mem::take(version);
                self.phase = Phase::List;
                self.replay = None;
            }
            Phase::Watch { .. } => {}
            Phase::Stream { .. } => {
                self.failed_streams += u32::from(!is_cheap);
                self.phase = Phase::List;
            }
            // An interrupted list restarts: pages already read may be out of date.
            Phase::List => drop(self.listing.failed(failure)),
        }
        let asked = match failure {
            WatchError::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        let backoff = if is_cheap { WATCH } else { LIST };
        RetryPlan {
            after: backoff.delay_asked(self.failures, jitter, asked, LAST_RETRY_AFTER),
            relists: relists || !watching,
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}
