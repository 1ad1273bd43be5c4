//! Paces the log lines of an outage of the API server: the first failure, then ever fewer lines, then one on recovery.
//! Several watches fail together and keep retrying; the log needs one line for all of them.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after the first line; doubles with each further line.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause between two lines.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The failures since all watches last worked.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    failures: u64,
    since: Instant,
    next_line: Instant,
    pause: Duration,
}

/// An outage up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SoFar {
    /// Failed lists and watches.
    pub(crate) failures: u64,
    pub(crate) lasted: Duration,
}

impl Current {
    fn so_far(&self, now: Instant) -> SoFar {
        SoFar {
            failures: self.failures,
            lasted: now.saturating_duration_since(self.since),
        }
    }
}

impl Outage {
    /// A list or watch failed; `Some` if a line is due.
    pub(crate) fn failed(&mut self, now: Instant) -> Option<SoFar> {
        let current = self.current.get_or_insert(Current {
            failures: 0,
            since: now,
            next_line: now,
            pause: FIRST_PAUSE,
        });
        current.failures += 1;
        if now < current.next_line {
            return None;
        }
        current.next_line = now + current.pause;
        current.pause = MAX_PAUSE.min(current.pause * 2);
        Some(current.so_far(now))
    }

    pub(crate) fn lasts(&self) -> bool {
        self.current.is_some()
    }

    /// All watches work; `Some` if that ends an outage.
    pub(crate) fn over(&mut self, now: Instant) -> Option<SoFar> {
        self.current.take().map(|current| current.so_far(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_ever_fewer_lines_and_never_stops() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut outage = Outage::default();
        let logged: Vec<u64> = (0..1500)
            .filter(|second| outage.failed(at(*second)).is_some())
            .collect();
        assert_eq!(logged, [0, 10, 30, 70, 150, 310, 610, 910, 1210]);
        let so_far = SoFar {
            failures: 1500,
            lasted: Duration::from_secs(1500),
        };
        assert!(outage.lasts());
        assert_eq!((outage.over(at(1500)), outage.over(at(1501))), (Some(so_far), None));
        assert!(!outage.lasts());
        assert_eq!(outage.failed(at(2000)).map(|so_far| so_far.failures), Some(1));
    }
}
