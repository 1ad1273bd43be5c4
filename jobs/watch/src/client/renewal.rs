//! Runs a credential plugin before its credential expires and after the API server refused it: one run at a time, and at
//! growing intervals while it fails. A request waits for a run only for a while; the run continues without it.

use std::sync::Arc;
use std::time::Duration;

use pacing::Backoff;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::client::credentials::CredentialError;
use crate::client::exec::{Credential, Plugin};

/// The longest time that a request waits for the plugin; less than callers wait for their answers.
const PATIENCE: Duration = Duration::from_secs(8);
/// A credential is renewed this long before it expires.
const EARLY: Duration = Duration::from_secs(60);
/// The shortest time between the end of a run that worked and the next one.
const PAUSE: Duration = Duration::from_secs(5);
/// The pauses between runs that fail.
const RETRY: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(30));

/// A plugin and its last credential.
pub(crate) struct Renewal {
    plugin: Plugin,
    state: watch::Sender<RenewalState>,
}

#[derive(Default)]
struct RenewalState {
    /// The last credential, and its number.
    credential: Option<Arc<Credential>>,
    number: u64,
    /// The API server has refused it.
    refused: bool,
    running: bool,
    /// The error of the last run, and the number of failures in a row.
    failure: Option<String>,
    failures: u32,
    /// The earliest start of the next run.
    not_before: Option<Instant>,
}

/// The next step of a request.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It takes the credential.
    Take,
    /// It takes the credential, which is soon to be renewed.
    TakeAndRun,
    /// It waits for the run.
    Wait,
    /// It begins a run and waits for it.
    Run,
    /// It fails as the last run did.
    Fail,
}

impl RenewalState {
    fn step(&self, now: Instant) -> Step {
        let may_run = !self.running && self.not_before.is_none_or(|not_before| now >= not_before);
        let expires = self.credential.as_ref().map(|credential| credential.expires);
        let is_good = |early| !self.refused && expires.is_some_and(|at| at.is_none_or(|at| now + early < at));
        if is_good(EARLY) {
            Step::Take
        } else if is_good(Duration::ZERO) {
            if may_run { Step::TakeAndRun } else { Step::Take }
        } else if self.running {
            Step::Wait
        } else if may_run {
            Step::Run
        } else if self.failure.is_some() || self.credential.is_none() {
            Step::Fail
        } else {
            // Just printed, and already expired or rejected: the API server's error explains it best.
            Step::Take
        }
    }

    /// A run has ended.
    fn ended(&mut self, outcome: Result<Credential, String>, now: Instant) {
        self.running = false;
        match outcome {
            Ok(credential) => {
                self.credential = Some(Arc::new(credential));
                self.number += 1;
                self.refused = false;
                self.failure = None;
                self.failures = 0;
                self.not_before = Some(now + PAUSE);
            }
            Err(problem) => {
                self.failures = self.failures.saturating_add(1);
                self.failure = Some(problem);
                self.not_before = Some(now + RETRY.delay(self.failures, 0.5));
            }
        }
    }
}

impl Renewal {
    /// Runs nothing yet.
    pub(crate) fn new(plugin: Plugin) -> Self {
        Renewal {
            plugin,
            state: watch::Sender::new(RenewalState::default()),
        }
    }

    /// True if a person at a terminal may have to log in first.
    pub(crate) fn is_interactive(&self) -> bool {
        self.plugin.is_interactive()
    }

    /// The credential and its number.
    ///
    /// # Errors
    /// The reason why there is none at the moment.
    pub(crate) async fn credential(self: &Arc<Self>) -> Result<(Arc<Credential>, u64), CredentialError> {
        let mut step = Step::Fail;
        self.state.send_if_modified(|state| {
            step = state.step(Instant::now());
            let begins = matches!(step, Step::Run | Step::TakeAndRun);
            state.running |= begins;
            begins
        });
        if matches!(step, Step::Run | Step::TakeAndRun) {
            tokio::spawn(self.clone().run());
        }
        if matches!(step, Step::Run | Step::Wait) {
            self.wait().await?;
        }
        let state = self.state.borrow();
        match (&state.credential, &state.failure) {
            (Some(credential), None) => Ok((credential.clone(), state.number)),
            // A failed renewal does not spoil what has not expired yet.
            (Some(credential), Some(_)) if matches!(step, Step::Take | Step::TakeAndRun) => {
                Ok((credential.clone(), state.number))
            }
            (_, failure) => Err(CredentialError(failure.clone().unwrap_or_else(|| self.no_answer()))),
        }
    }

    /// The API server has refused the credential of that number.
    pub(crate) fn refused(&self, number: u64) {
        self.state.send_if_modified(|state| {
            let is_news = state.number == number && !state.refused;
            state.refused |= is_news;
            is_news
        });
    }

    async fn wait(&self) -> Result<(), CredentialError> {
        let patience = if self.is_interactive() {
            self.plugin.limit() + PAUSE
        } else {
            PATIENCE
        };
        let mut state = self.state.subscribe();
        match timeout(patience, state.wait_for(|state| !state.running)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(CredentialError(self.no_answer())),
        }
    }

    fn no_answer(&self) -> String {
        format!(
            "credential plugin {:?} is still running after {} s; it is killed after {} s",
            self.plugin.name(),
            PATIENCE.as_secs(),
            self.plugin.limit().as_secs()
        )
    }

    async fn run(self: Arc<Self>) {
        let (plugin, limit_seconds) = (self.plugin.name(), self.plugin.limit().as_secs());
        let mut run = std::pin::pin!(self.plugin.run());
        let outcome = tokio::select! {
            outcome = &mut run => outcome,
            () = sleep(PATIENCE) => {
                if !self.is_interactive() {
                    tracing::warn!(plugin, limit_seconds, "credential plugin is slow or hangs; waiting for it");
                }
                run.await
            }
        };
        self.state.send_modify(|state| {
            match &outcome {
                Err(problem) if state.failure.as_ref() != Some(problem) => {
                    tracing::warn!(%problem, "no credentials for the API server; retrying");
                }
                Err(problem) => tracing::debug!(%problem, "no credentials for the API server; retrying"),
                Ok(_) if state.failure.is_some() => tracing::info!(plugin, "credential plugin recovered"),
                Ok(_) => {}
            }
            state.ended(outcome, Instant::now());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(expires: Option<Instant>) -> Credential {
        Credential {
            header: None,
            identity: None,
            expires,
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_credential_is_renewed_before_it_expires() {
        let begin = Instant::now();
        let mut state = RenewalState::default();
        assert_eq!(state.step(begin), Step::Run);
        state.ended(Ok(credential(Some(begin + seconds(900)))), begin);
        assert_eq!(state.step(begin + seconds(839)), Step::Take);
        assert_eq!(state.step(begin + seconds(840)), Step::TakeAndRun);
        state.running = true;
        assert_eq!(state.step(begin + seconds(841)), Step::Take, "no request waits for it");
        assert_eq!(state.step(begin + seconds(900)), Step::Wait, "it has expired");
        state.ended(Err("broken".into()), begin + seconds(900));
        assert_eq!(state.step(begin + seconds(901)), Step::Fail);
        assert_eq!(state.step(begin + seconds(902)), Step::Run);
    }

    #[test]
    fn a_failed_renewal_keeps_a_valid_credential() {
        let begin = Instant::now();
        let mut state = RenewalState::default();
        state.ended(Ok(credential(Some(begin + seconds(100)))), begin);
        state.ended(Err("broken".into()), begin + seconds(50));
        assert_eq!(state.step(begin + seconds(51)), Step::Take);
        assert_eq!(state.step(begin + seconds(52)), Step::TakeAndRun);
    }

    #[test]
    fn a_refused_credential_is_renewed_once() {
        let begin = Instant::now();
        let renewal = |state: &RenewalState, now| state.step(now);
        let mut state = RenewalState::default();
        state.ended(Ok(credential(None)), begin);
        assert_eq!(renewal(&state, begin + seconds(86_400)), Step::Take);
        state.refused = true;
        assert_eq!(
            renewal(&state, begin + seconds(4)),
            Step::Take,
            "it was printed just now"
        );
        assert_eq!(renewal(&state, begin + seconds(5)), Step::Run);
        state.ended(Ok(credential(None)), begin + seconds(6));
        assert_eq!(renewal(&state, begin + seconds(7)), Step::Take);
    }

    #[test]
    fn a_failing_plugin_is_retried_at_growing_intervals() {
        let mut now = Instant::now();
        let mut state = RenewalState::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert_eq!(state.step(now), Step::Run);
            state.ended(Err("broken".into()), now);
            let not_before = state.not_before.expect("a pause");
            pauses.push(not_before.duration_since(now).as_secs());
            assert_eq!(state.step(now), Step::Fail);
            now = not_before;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
    }
}
