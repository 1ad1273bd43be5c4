//! One condition for a component that sends several signals: it is well when nothing of any of them fails.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use collector_data::Signal;
use collector_runtime::health::{Reporter, Status};

/// What may fail, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Sending to the destination: its newest answer was no success.
    Destination,
    /// The queue: it is full.
    Queue,
    /// What keeps the queue over a restart.
    Store,
}

#[derive(Debug)]
pub(super) struct Condition {
    failing: Mutex<BTreeMap<(Signal, Part), String>>,
    reporter: Reporter,
}

impl Condition {
    pub(super) fn new(reporter: Reporter) -> Self {
        reporter.report(Status::Ok);
        Condition {
            failing: Mutex::default(),
            reporter,
        }
    }

    pub(super) fn failing(&self, signal: Signal, part: Part, why: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.insert((signal, part), why.to_owned());
        self.report(&failing);
    }

    pub(super) fn works(&self, signal: Signal, part: Part) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.remove(&(signal, part)).is_some() {
            self.report(&failing);
        }
    }

    fn report(&self, failing: &BTreeMap<(Signal, Part), String>) {
        if failing.is_empty() {
            self.reporter.report(Status::Ok);
            return;
        }
        let reasons: Vec<String> = failing
            .iter()
            .map(|((signal, _), why)| format!("{signal}: {why}"))
            .collect();
        self.reporter.report(Status::RecoverableError(reasons.join("; ")));
    }
}
