//! Where a list and watch stands and what it does next. Pure: no I/O, no clock, randomness passed in.

use std::time::Duration;

/// Delay after the first failure; doubles with each one that follows.
const FIRST_DELAY: Duration = Duration::from_millis(800);
/// The longest delay of our own choice before a list, which costs the server much.
const LAST_DELAY: Duration = Duration::from_secs(30);
/// The longest one before what costs it little: a watch that goes on where it was, or a server that was not reached. What
/// ends meanwhile should be told of within seconds after the API is back.
const LAST_CHEAP_DELAY: Duration = Duration::from_secs(3);
/// The delay, half of it up to all of it, before something is tried again that is not allowed and can be done without.
const DENIED_DELAY: Duration = Duration::from_secs(400);
/// The longest delay a server's `Retry-After` is followed for.
const LAST_RETRY_AFTER: Duration = Duration::from_secs(120);
/// A watch that ends sooner, without having said anything, has failed.
pub const SHORT_WATCH: Duration = Duration::from_secs(5);
/// How often a server may end a watch from the inside with the same error before a list is tried instead.
const IN_BAND_FAILURES: u32 = 3;

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Read a page of the list.
    List {
        /// The token of the last page; empty for the first page.
        token: Box<str>,
        /// Whether pages are limited. Not after a token expired: a list that takes longer than the server keeps
        /// its version would never end.
        limited: bool,
    },
    /// Watch what changes.
    Watch {
        /// The version after which changes are asked for.
        version: Box<str>,
    },
}

/// Why a list or watch stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The API server said so.
    Status {
        /// The HTTP status.
        code: u16,
        /// The API server's own words.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whether it was said inside of a watch that had begun with a success.
        in_band: bool,
    },
    /// The connection could not be made or broke.
    Connection(String),
    /// Nothing was heard for so long.
    Silence(Duration),
    /// Something was begun and not finished for so long, though the connection may be alive.
    Slow(Duration),
    /// The stream ended in the middle of a line.
    Cut,
    /// The watch ended at once, again and again.
    Empty,
    /// The reply cannot be read.
    Unreadable(String),
}

impl Failure {
    /// Whether the list or watch is not allowed.
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Failure::Status {
                code: 403,
                in_band: false,
                ..
            }
        )
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Status { code: 401, message, .. } => write!(
                f,
                "401 {message}: the API server does not accept the credentials; they have expired or belong to \
                 another cluster. A kubeconfig is read anew before the next try: renew them there"
            ),
            Failure::Status { code, message, .. } => write!(f, "{code} {message}"),
            Failure::Connection(problem) => write!(f, "cannot reach the API server: {problem}"),
            Failure::Silence(time) => write!(f, "nothing heard for {} s", time.as_secs()),
            Failure::Slow(time) => write!(f, "a reply is not complete after {} s", time.as_secs()),
            Failure::Cut => f.write_str("the connection ended in the middle of an object"),
            Failure::Empty => f.write_str("the watch ended as soon as it had begun"),
            Failure::Unreadable(problem) => write!(f, "the reply cannot be read: {problem}"),
        }
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long to wait first.
    pub after: Duration,
    /// Whether the list begins anew.
    pub relists: bool,
}

/// One list and watch.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    failures: u32,
}

impl Machine {
    /// Begins with a list.
    pub fn new() -> Self {
        Machine {
            phase: first_page(true),
            failures: 0,
        }
    }

    /// What to do now.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// How many failures there were since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A page of the list was read. Returns whether it was the last one.
    pub fn page_read(&mut self, next: &str, version: &str) -> bool {
        if next.is_empty() {
            self.phase = Phase::Watch {
                version: version.into(),
            };
            return true;
        }
        self.phase = Phase::List {
            token: next.into(),
            limited: true,
        };
        false
    }

    /// The watch delivered a change or a bookmark of this version. A version that is empty is not taken.
    pub fn progressed(&mut self, version: &str) {
        self.failures = 0;
        if !version.is_empty() {
            self.phase = Phase::Watch {
                version: version.into(),
            };
        }
    }

    /// The watch has lived longer than those that fail at once.
    pub fn survived(&mut self) {
        self.failures = 0;
    }

    /// The watch ended as watches do, after `lived`; `delivered` is whether it said anything. Returns how long to
    /// wait before the next one. `jitter` as in [`Machine::failed`].
    ///
    /// # Errors
    /// If it ended too soon and said nothing.
    pub fn watch_ended(&mut self, lived: Duration, delivered: bool, jitter: f64) -> Result<Duration, Failure> {
        if lived >= SHORT_WATCH {
            self.failures = 0;
            return Ok(Duration::ZERO);
        }
        // Going on at once would be a hot loop.
        match delivered {
            true => Ok(spread(FIRST_DELAY, jitter)),
            false => Err(Failure::Empty),
        }
    }

    /// How long to wait before trying again what is not allowed and can be done without; about 5 minutes.
    pub fn denied_delay(jitter: f64) -> Duration {
        spread(DENIED_DELAY, jitter)
    }

    /// Something failed. `jitter` in 0..1 spreads the delay over its upper half, so that replicas do not return in
    /// step.
    pub fn failed(&mut self, failure: &Failure, jitter: f64) -> Retry {
        self.failures = self.failures.saturating_add(1);
        let watching = matches!(self.phase, Phase::Watch { .. });
        let relists = match failure {
            Failure::Status { code: 400 | 410, .. } => true,
            Failure::Status { in_band: true, .. } => self.failures >= IN_BAND_FAILURES,
            _ => false,
        };
        let is_cheap = match &self.phase {
            Phase::Watch { .. } => !relists,
            Phase::List { token, .. } => token.is_empty() && matches!(failure, Failure::Connection(_)),
        };
        // A list that broke off begins anew: what was read of it may be out of date by the time it goes on.
        if relists || !watching {
            let token_expired = match &self.phase {
                Phase::List { token, limited } => !limited || !token.is_empty() && relists,
                Phase::Watch { .. } => false,
            };
            self.phase = first_page(!token_expired);
        }
        let doubled = FIRST_DELAY.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        let longest = if is_cheap { LAST_CHEAP_DELAY } else { LAST_DELAY };
        let delay = spread(doubled.min(longest), jitter);
        let asked = match failure {
            Failure::Status { retry_after, .. } => retry_after.unwrap_or_default().min(LAST_RETRY_AFTER),
            _ => Duration::ZERO,
        };
        Retry {
            after: delay.max(asked),
            relists: relists || !watching,
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}

/// Spreads a delay over its upper half.
fn spread(delay: Duration, jitter: f64) -> Duration {
    delay.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

fn first_page(limited: bool) -> Phase {
    Phase::List {
        token: "".into(),
        limited,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, in_band: bool) -> Failure {
        Failure::Status {
            code,
            message: "m".into(),
            retry_after: None,
            in_band,
        }
    }

    fn watching() -> Machine {
        let mut machine = Machine::new();
        assert!(!machine.page_read("next", "5"));
        assert!(machine.page_read("", "5"));
        machine
    }

    #[test]
    fn delays_double_up_to_a_bound_and_success_resets_them() {
        let delays = |mut machine: Machine, failure: &Failure| -> Vec<u128> {
            (0..100)
                .map(|_| machine.failed(failure, 1.0).after.as_millis())
                .collect()
        };
        let refused = Failure::Connection("refused".into());
        for cheap in [
            delays(watching(), &Failure::Cut),
            delays(watching(), &status(500, false)),
            delays(Machine::new(), &refused),
        ] {
            assert_eq!(cheap[..4], [800, 1600, 3000, 3000]);
            assert_eq!(cheap[99], 3000);
        }
        for costly in [
            delays(Machine::new(), &status(500, false)),
            delays(watching(), &status(410, true)),
            delays(Machine::new(), &Failure::Cut),
        ] {
            assert_eq!(costly[..7], [800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
            assert_eq!(costly[99], 30_000);
        }
        let mut machine = watching();
        machine.failed(&Failure::Cut, 1.0);
        machine.progressed("9");
        assert_eq!(machine.failed(&Failure::Cut, 0.0).after.as_millis(), 400);
    }

    #[test]
    fn a_watch_goes_on_where_it_was() {
        let mut machine = watching();
        machine.progressed("8");
        for failure in [
            Failure::Cut,
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
    fn a_version_that_is_gone_means_a_list_but_never_a_hot_loop() {
        for failure in [status(410, true), status(410, false), status(400, false)] {
            let mut machine = watching();
            let retry = machine.failed(&failure, 0.5);
            assert_eq!((retry.relists, retry.after), (true, Duration::from_millis(600)));
            assert_eq!(*machine.phase(), first_page(true));
            // The list succeeds and the watch fails again.
            machine.page_read("", "6");
            assert!(machine.failed(&failure, 0.5).after > Duration::from_millis(800));
        }
    }

    #[test]
    fn an_expired_token_leads_to_a_list_in_one_piece() {
        let mut machine = Machine::new();
        machine.page_read("next", "5");
        assert!(machine.failed(&status(410, false), 0.5).relists);
        assert_eq!(*machine.phase(), first_page(false));
        // And stays so until that list is in.
        machine.failed(&Failure::Cut, 0.5);
        assert_eq!(*machine.phase(), first_page(false));
    }

    #[test]
    fn a_broken_list_begins_anew() {
        let mut machine = Machine::new();
        machine.page_read("next", "5");
        assert!(machine.failed(&Failure::Cut, 0.5).relists);
        assert_eq!(*machine.phase(), first_page(true));
    }

    #[test]
    fn the_server_may_ask_for_a_longer_delay_within_reason() {
        let mut machine = watching();
        let ask = |seconds| Failure::Status {
            code: 429,
            message: "m".into(),
            retry_after: Some(Duration::from_secs(seconds)),
            in_band: false,
        };
        assert_eq!(machine.failed(&ask(7), 0.5).after, Duration::from_secs(7));
        assert_eq!(machine.failed(&ask(86_400), 0.5).after, LAST_RETRY_AFTER);
    }

    #[test]
    fn watches_that_end_at_once_are_slowed_down() {
        let mut machine = watching();
        let (long, short) = (Duration::from_secs(240), Duration::from_millis(1));
        assert_eq!(machine.watch_ended(long, false, 0.0), Ok(Duration::ZERO));
        assert_eq!(machine.watch_ended(short, true, 0.0), Ok(Duration::from_millis(400)));
        assert_eq!(machine.watch_ended(short, false, 0.0), Err(Failure::Empty));
    }

    #[test]
    fn an_error_that_repeats_inside_the_watch_ends_in_a_list() {
        let mut machine = watching();
        let relists: Vec<bool> = (0..3)
            .map(|_| machine.failed(&status(500, true), 0.5).relists)
            .collect();
        assert_eq!(relists, [false, false, true]);
    }
}
