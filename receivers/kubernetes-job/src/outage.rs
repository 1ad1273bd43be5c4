//! When to say that the API server cannot be used: at once, then ever less often, and once when it is over. Several
//! watches fail together and try again all the time; whoever reads the log needs one line.

use std::time::Duration;

use tokio::time::Instant;

/// Until the second line; doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest time without a line.
const LAST_PAUSE: Duration = Duration::from_secs(300);

/// The failures since something last worked.
#[derive(Debug, Default)]
pub struct Outage {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    tries: u64,
    since: Instant,
    next: Instant,
    pause: Duration,
}

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoFar {
    /// How many lists and watches failed.
    pub tries: u64,
    /// For how long.
    pub lasted: Duration,
}

impl Current {
    fn so_far(&self, now: Instant) -> SoFar {
        SoFar {
            tries: self.tries,
            lasted: now.saturating_duration_since(self.since),
        }
    }
}

impl Outage {
    /// A list or watch failed at `now`. Returns what to say, if it is time.
    pub fn failed(&mut self, now: Instant) -> Option<SoFar> {
        let current = self.current.get_or_insert(Current {
            tries: 0,
            since: now,
            next: now,
            pause: FIRST_PAUSE,
        });
        current.tries += 1;
        if now < current.next {
            return None;
        }
        current.next = now + current.pause;
        current.pause = LAST_PAUSE.min(current.pause * 2);
        Some(current.so_far(now))
    }

    /// Whether one has begun and is not over.
    pub fn lasts(&self) -> bool {
        self.current.is_some()
    }

    /// Everything works. Returns what to say, if it did not before.
    pub fn over(&mut self, now: Instant) -> Option<SoFar> {
        self.current.take().map(|current| current.so_far(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rare_and_never_stop() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut outage = Outage::default();
        let told: Vec<u64> = (0..1500)
            .filter(|second| outage.failed(at(*second)).is_some())
            .collect();
        assert_eq!(told, [0, 10, 30, 70, 150, 310, 610, 910, 1210]);
        let so_far = SoFar {
            tries: 1500,
            lasted: Duration::from_secs(1500),
        };
        assert!(outage.lasts());
        assert_eq!((outage.over(at(1500)), outage.over(at(1501))), (Some(so_far), None));
        assert!(!outage.lasts());
        assert_eq!(outage.failed(at(2000)).map(|so_far| so_far.tries), Some(1));
    }
}
