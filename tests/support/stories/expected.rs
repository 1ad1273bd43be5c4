//! The verdict that a story states, and its comparison with a judgement.

use job_event::evidence::ContainerRole;
use job_judge::{AttemptOutcome, Cause, JudgedAttempt, Judgement, Retry};

use super::story::Story;

/// The stated verdict on the first Job of a story.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
    pub cause: Option<Cause>,
    retry: Option<Retry>,
    sentence: Option<&'static str>,
    next_step: Option<&'static str>,
    attempts: Option<&'static [Cause]>,
    blamed: Option<(&'static str, ContainerRole, i32)>,
    more: Option<fn(&Judgement)>,
}

impl Expected {
    pub(crate) fn new(outcome: &'static str, reason: Option<&'static str>, cause: Option<Cause>) -> Expected {
        Expected {
            outcome,
            reason,
            cause,
            retry: None,
            sentence: None,
            next_step: None,
            attempts: None,
            blamed: None,
            more: None,
        }
    }

    /// Panics if the judgement differs.
    pub(crate) fn check(&self, judgement: &Judgement) {
        let found = (judgement.outcome.as_str(), judgement.reason.as_deref(), judgement.cause);
        assert_eq!(found, (self.outcome, self.reason, self.cause), "{}", judgement.summary);
        let failures: Vec<&JudgedAttempt> = judgement
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == AttemptOutcome::Failed)
            .collect();
        if self.retry.is_some() {
            assert_eq!(judgement.retry, self.retry);
        }
        if let Some(sentence) = self.sentence {
            assert!(judgement.summary.contains(sentence), "{}", judgement.summary);
        }
        if let Some(start) = self.next_step {
            let next_step = judgement.next_step.as_deref().unwrap_or_default();
            assert!(next_step.starts_with(start), "{next_step}");
        }
        if let Some(attempts) = self.attempts {
            let causes: Vec<Cause> = failures.iter().filter_map(|attempt| attempt.cause).collect();
            assert_eq!(causes, attempts);
        }
        if let Some((container, role, exit_code)) = self.blamed {
            let last = failures.last().expect("a failed attempt");
            let found = (last.container.as_deref(), last.role, last.exit_code);
            assert_eq!(found, (Some(container), Some(role), Some(exit_code)));
        }
        if let Some(check) = self.more {
            check(judgement);
        }
    }
}

impl Story {
    /// Expects this effect of a retry.
    pub(crate) fn retry(mut self, retry: Retry) -> Story {
        self.expected.retry = Some(retry);
        self
    }

    /// Expects this part of the sentence.
    pub(crate) fn sentence(mut self, part: &'static str) -> Story {
        self.expected.sentence = Some(part);
        self
    }

    /// Expects this beginning of the next step.
    pub(crate) fn next_step(mut self, start: &'static str) -> Story {
        self.expected.next_step = Some(start);
        self
    }

    /// Expects failed attempts with exactly these causes, in order.
    pub(crate) fn attempts(mut self, causes: &'static [Cause]) -> Story {
        self.expected.attempts = Some(causes);
        self
    }

    /// Expects the last failed attempt to blame this container.
    pub(crate) fn blames(mut self, container: &'static str, role: ContainerRole, exit_code: i32) -> Story {
        self.expected.blamed = Some((container, role, exit_code));
        self
    }

    /// Asserts anything else.
    pub(crate) fn asserts(mut self, check: fn(&Judgement)) -> Story {
        self.expected.more = Some(check);
        self
    }
}
