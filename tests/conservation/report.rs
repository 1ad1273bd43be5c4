//! The summary of several runs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem::discriminant;

use crate::collector::Reloads;
use crate::oracle::Problem;
use crate::outcome::Outcome;
use crate::say;

/// The totals of several runs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    runs: usize,
    jobs: usize,
    decided: usize,
    notices: [i64; 3],
    faults: BTreeMap<String, usize>,
    reloads: Reloads,
    losses: i64,
    duplicates: i64,
    again: (usize, usize),
    refused: usize,
    memory: u64,
    slowest: f64,
    failed: String,
}

impl Report {
    /// Prints the result of a run and adds it.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        say(&outcome);
        self.runs += 1;
        self.jobs += outcome.jobs;
        self.decided += outcome.decided;
        for (sum, reported) in self.notices.iter_mut().zip(outcome.notices) {
            *sum += reported;
        }
        for (kind, count) in &outcome.faults {
            *self.faults.entry(kind.clone()).or_default() += count;
        }
        self.reloads.add(outcome.reloads.clone());
        self.losses += outcome.losses();
        self.duplicates += outcome.duplicates();
        self.again.0 += outcome.traffic.events_again;
        self.again.1 += outcome.traffic.points_again;
        self.refused += outcome.traffic.refused;
        self.memory = self.memory.max(outcome.memory);
        self.slowest = outcome
            .fresh
            .map_or(f64::INFINITY, |time| time.as_secs_f64())
            .max(self.slowest);
        if !outcome.holds() {
            self.failed += &describe(&outcome);
        }
    }

    /// Prints the totals.
    ///
    /// # Panics
    /// If a run violates an invariant, with its script and its logs.
    pub(crate) fn finish(self) {
        say(format!(
            "{} runs: {} Jobs, {} decided; {} stalls, {} recoveries, {} missed runs; reloads: {} applied, {} refused; lost {}, duplicates {}; sent again: {} events, {} points; refused by the \
             backend: {}; a new Job after {:.1} s at most; peak RSS {:.1} MiB",
            self.runs,
            self.jobs,
            self.decided,
            self.notices[0],
            self.notices[1],
            self.notices[2],
            self.reloads.applied,
            self.reloads.refused,
            self.losses,
            self.duplicates,
            self.again.0,
            self.again.1,
            self.refused,
            self.slowest,
            self.memory as f64 / 1_048_576.0,
        ));
        let total: usize = self.faults.values().sum();
        say(format!("{total} faults:"));
        for (kind, count) in &self.faults {
            say(format!("{count:>6}  {kind}"));
        }
        // A few seeds have an invalid configuration for a collector that runs.
        assert!(
            self.runs < 4 || self.reloads.refused > 0,
            "no invalid configuration was refused"
        );
        assert!(self.failed.is_empty(), "{}", self.failed);
    }
}

/// The problems of a run, and all data for their analysis.
pub(crate) fn describe(outcome: &Outcome) -> String {
    let mut text = format!("\n##### {}\n", outcome.name);
    // Writing to a text cannot fail.
    for complaint in &outcome.complaints {
        let _ = writeln!(text, "  {complaint}");
    }
    let same_kind = |a: &Problem, b: &Problem| discriminant(a) == discriminant(b);
    for problems in outcome.problems.chunk_by(same_kind) {
        for problem in problems.iter().take(10) {
            let _ = writeln!(text, "  {problem}");
        }
        if problems.len() > 10 {
            let _ = writeln!(text, "  … {} of this kind", problems.len());
        }
    }
    let _ = writeln!(text, "{}", outcome.story);
    text
}
