//! The state machine of a list and watch. Pure: no I/O, no clock, randomness passed in.

use std::time::Duration;

use pacing::Backoff;

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

/// The next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Read the next page of [`Machine::listing`].
    List,
    /// Watch the changes.
    Watch {
        /// The version to watch from.
        version: Box<str>,
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
    watched: Box<str>,
    /// A list of an earlier version was rejected once.
    is_doubted: bool,
}

impl Machine {
    /// Starts with a list.
    pub fn new() -> Self {
        Machine {
            phase: Phase::List,
            listing: Listing::new(),
            failures: 0,
            unread: 0,
            watched: "".into(),
            is_doubted: false,
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

    /// Records a page of the list. Returns true for the last page.
    ///
    /// # Errors
    /// The page does not belong to the list.
    pub fn page_read(&mut self, page: &ListPage<'_>) -> Result<bool, WatchError> {
        let (watched, version) = (&self.watched, &page.resource_version);
        // A cluster restored from a backup has an earlier version, and so does every later list. A single such list is
        // from a stale cache.
        let goes_back = !watched.is_empty() && self.listing.token().is_empty() && goes_back(watched, version);
        if goes_back && !std::mem::replace(&mut self.is_doubted, true) {
            return Err(WatchError::BadList(format!(
                "resourceVersion {version} is older than {watched}, which was already observed"
            )));
        }
        let Progress::Complete(version) = self.listing.page_read(page)? else {
            return Ok(false);
        };
        self.phase = Phase::Watch { version };
        self.watched = "".into();
        (self.unread, self.is_doubted) = (0, false);
        Ok(true)
    }

    /// Records a change or bookmark of this version. An empty version is ignored.
    pub fn progressed(&mut self, version: &str) {
        (self.failures, self.unread) = (0, 0);
        if !version.is_empty() {
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
            Phase::List => self.listing.token().is_empty() && matches!(failure, WatchError::Connection(_)),
        };
        match &mut self.phase {
            Phase::Watch { version } if relists => {
                self.watched = std::mem::take(version);
                self.phase = Phase::List;
            }
            Phase::Watch { .. } => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::list_page;
    use crate::model::{Job, Watched};
    use crate::watch::listing::ONE_PIECE;

    fn status(code: u16, in_band: bool) -> WatchError {
        WatchError::Status {
            code,
            message: "m".into(),
            retry_after: None,
            in_band,
        }
    }

    fn read(machine: &mut Machine, next: &str, version: &str) -> Result<bool, WatchError> {
        let body = format!(
            r#"{{"kind":"JobList","apiVersion":"batch/v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[]}}"#
        );
        machine.page_read(&list_page(&body, Job::TYPE).unwrap())
    }

    fn watching() -> Machine {
        let mut machine = Machine::new();
        assert_eq!(read(&mut machine, "next", "5"), Ok(false));
        assert_eq!(read(&mut machine, "", "5"), Ok(true));
        machine
    }

    /// True if the next request is the first page of a list with this limit.
    fn is_at_first_page(machine: &Machine, limit: u32) -> bool {
        let listing = machine.listing();
        *machine.phase() == Phase::List && listing.token().is_empty() && listing.limit() == limit
    }

    #[test]
    fn delays_double_up_to_a_limit_until_a_success() {
        let delays = |mut machine: Machine, failure: &WatchError| -> Vec<u128> {
            (0..100)
                .map(|_| machine.failed(failure, 1.0).after.as_millis())
                .collect()
        };
        let refused = WatchError::Connection("refused".into());
        for cheap in [
            delays(watching(), &WatchError::Silence(Duration::ZERO)),
            delays(watching(), &status(500, false)),
            delays(Machine::new(), &refused),
        ] {
            assert_eq!(cheap[..4], [800, 1600, 3000, 3000]);
            assert_eq!(cheap[99], 3000);
        }
        for costly in [
            delays(Machine::new(), &status(500, false)),
            delays(watching(), &status(410, true)),
            delays(Machine::new(), &WatchError::Cut),
        ] {
            assert_eq!(costly[..7], [800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
            assert_eq!(costly[99], 30_000);
        }
        let mut machine = watching();
        machine.failed(&WatchError::Cut, 1.0);
        machine.progressed("9");
        assert_eq!(machine.failed(&WatchError::Cut, 0.0).after.as_millis(), 400);
    }

    #[test]
    fn a_watch_resumes_at_its_version() {
        let mut machine = watching();
        machine.progressed("8");
        for failure in [
            WatchError::Cut,
            status(500, false),
            status(429, false),
            status(401, false),
            status(504, false),
        ] {
            assert!(!machine.failed(&failure, 0.5).relists);
            assert_eq!(*machine.phase(), Phase::Watch { version: "8".into() });
        }
    }

    #[test]
    fn an_expired_version_relists_without_a_hot_loop() {
        for failure in [status(410, true), status(410, false), status(400, false)] {
            let mut machine = watching();
            let retry = machine.failed(&failure, 0.5);
            assert_eq!((retry.relists, retry.after), (true, Duration::from_millis(600)));
            assert!(is_at_first_page(&machine, 500));
            // The list succeeds, and the watch fails again.
            read(&mut machine, "", "6").unwrap();
            assert!(machine.failed(&failure, 0.5).after > Duration::from_millis(800));
        }
    }

    #[test]
    fn an_expired_token_leads_to_a_list_in_one_piece() {
        let mut machine = Machine::new();
        read(&mut machine, "next", "5").unwrap();
        assert!(machine.failed(&status(410, false), 0.5).relists);
        assert!(is_at_first_page(&machine, ONE_PIECE));
        // Until that list is complete.
        machine.failed(&WatchError::Cut, 0.5);
        assert!(is_at_first_page(&machine, ONE_PIECE));
    }

    #[test]
    fn a_broken_list_starts_at_its_first_page() {
        let mut machine = Machine::new();
        read(&mut machine, "next", "5").unwrap();
        assert!(machine.failed(&WatchError::Cut, 0.5).relists);
        assert!(is_at_first_page(&machine, 500));
    }

    #[test]
    fn respects_retry_after_up_to_two_minutes() {
        let mut machine = watching();
        let ask = |seconds| WatchError::Status {
            code: 429,
            message: "m".into(),
            retry_after: Some(Duration::from_secs(seconds)),
            in_band: false,
        };
        assert_eq!(machine.failed(&ask(7), 0.5).after, Duration::from_secs(7));
        assert_eq!(machine.failed(&ask(86_400), 0.5).after, LAST_RETRY_AFTER);
    }

    #[test]
    fn delays_watches_that_end_at_once() {
        let mut machine = watching();
        let (long, short) = (Duration::from_secs(240), Duration::from_millis(1));
        assert_eq!(machine.watch_ended(long, false, 0.0), Ok(Duration::ZERO));
        assert_eq!(machine.watch_ended(short, true, 0.0), Ok(Duration::from_millis(400)));
        assert_eq!(machine.watch_ended(short, false, 0.0), Err(WatchError::Empty));
    }

    #[test]
    fn relists_after_repeated_error_events() {
        let mut machine = watching();
        let relists: Vec<bool> = (0..3)
            .map(|_| machine.failed(&status(500, true), 0.5).relists)
            .collect();
        assert_eq!(relists, [false, false, true]);
    }

    #[test]
    fn relists_after_repeatedly_broken_watches() {
        let mut machine = watching();
        let relists = |machine: &mut Machine, times| -> Vec<bool> {
            (0..times)
                .map(|_| machine.failed(&WatchError::Cut, 0.5).relists)
                .collect()
        };
        assert_eq!(relists(&mut machine, 2), [false, false]);
        machine.progressed("8");
        machine.failed(&WatchError::Connection("refused".into()), 0.5);
        assert_eq!(relists(&mut machine, 3), [false, false, true]);
    }

    #[test]
    fn accepts_an_older_list_the_second_time() {
        let mut machine = watching();
        machine.progressed("80");
        machine.failed(&status(410, true), 0.5);
        for attempt in [Err(()), Ok(true)] {
            let read = read(&mut machine, "", "7");
            assert_eq!(read.clone().map_err(drop), attempt);
            if let Err(failure) = read {
                assert!(matches!(failure, WatchError::BadList(_)));
                assert!(machine.failed(&failure, 0.5).relists);
            }
        }
        assert_eq!(*machine.phase(), Phase::Watch { version: "7".into() });
    }
}
