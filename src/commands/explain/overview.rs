//! One CronJob: its schedule, its last and next run, its latest runs, and runs that did not start.

use jiff::Timestamp;
use job_event::evidence::Job;
use job_event::notice::MissedRuns;
use job_event::span::span;
use job_schedule::Schedule;
use job_watch::model::CronJob;
use serde::Serialize;

use super::Explained;
use super::cronjob::CronJobEvents;
use super::notes::one_line;
use super::reading::reading;

/// The most runs, the latest ones.
pub(super) const RUNS: usize = 10;

/// A CronJob at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    kind: &'static str,
    namespace: String,
    name: String,
    uid: String,
    schedule: String,
    time_zone: Option<String>,
    /// The schedule in words, if it is simple.
    reading: Option<String>,
    /// Why the schedule cannot be evaluated.
    invalid_schedule: Option<String>,
    suspended: bool,
    concurrency_policy: String,
    starting_deadline_seconds: Option<i64>,
    last_schedule_time: Option<Timestamp>,
    last_success_time: Option<Timestamp>,
    /// The next slot; none if it is suspended or its schedule is invalid.
    next_schedule_time: Option<Timestamp>,
    /// The latest runs, newest first.
    runs: Vec<CronJobRun>,
    /// Runs that did not start, oldest first.
    missed: Vec<Missed>,
    #[serde(skip)]
    now: Timestamp,
}

/// One run.
#[derive(Debug, Serialize)]
struct CronJobRun {
    name: String,
    /// The time it was scheduled for; none for a Job that was created by hand.
    slot: Option<Timestamp>,
    outcome: String,
    cause: Option<String>,
    #[serde(skip)]
    seen: Option<Timestamp>,
}

/// Runs that did not start for one reason.
#[derive(Debug, Serialize)]
struct Missed {
    slot: Timestamp,
    last_slot: Timestamp,
    count: u64,
    reason: &'static str,
    summary: String,
}

impl Overview {
    pub(super) fn new(cronjob: &CronJob, missed: &[MissedRuns], now: Timestamp) -> Overview {
        let CronJob { metadata, spec, status } = cronjob;
        let text = spec.schedule.as_deref().unwrap_or_default();
        let schedule = Schedule::parse(text, spec.time_zone.as_deref());
        let is_suspended = spec.suspend == Some(true);
        let is_own = |missed: &&MissedRuns| {
            let of = missed.cronjob.cronjob.as_ref();
            of.is_some_and(|of| *of.uid == *metadata.uid)
        };
        Overview {
            kind: "CronJob",
            namespace: metadata.namespace.to_string(),
            name: metadata.name.to_string(),
            uid: metadata.uid.to_string(),
            reading: reading(text).filter(|_| schedule.is_ok()),
            next_schedule_time: schedule
                .as_ref()
                .ok()
                .filter(|_| !is_suspended)
                .and_then(|s| s.next(now)),
            invalid_schedule: schedule.err().map(|problem| problem.0),
            schedule: text.to_owned(),
            time_zone: spec.time_zone.as_deref().map(str::to_owned),
            suspended: is_suspended,
            concurrency_policy: spec.concurrency_policy.as_deref().unwrap_or("Allow").to_owned(),
            starting_deadline_seconds: spec.starting_deadline_seconds,
            last_schedule_time: status.last_schedule_time,
            last_success_time: status.last_successful_time,
            runs: Vec::new(),
            missed: missed.iter().filter(is_own).map(Missed::new).collect(),
            now,
        }
    }

    /// Adds the latest runs: those that exist, and those that Events name.
    pub(super) fn add_runs(&mut self, jobs: &[Explained], events: &CronJobEvents) {
        let mut runs: Vec<CronJobRun> = jobs.iter().map(CronJobRun::new).collect();
        for gone in &events.runs {
            if runs.iter().all(|run| run.name != gone.name) {
                runs.push(CronJobRun {
                    name: gone.name.clone(),
                    slot: None,
                    outcome: match gone.condition.as_deref() {
                        Some("Complete") => "Succeeded".into(),
                        Some(condition) => one_line(condition),
                        None => "deleted".into(),
                    },
                    cause: None,
                    seen: gone.seen,
                });
            }
        }
        runs.sort_by(|a, b| (b.slot.or(b.seen), &b.name).cmp(&(a.slot.or(a.seen), &a.name)));
        runs.truncate(RUNS);
        self.runs = runs;
    }

    /// Identifies the CronJob among others of the cluster.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// True if a run did not start.
    pub(super) fn has_missed(&self) -> bool {
        !self.missed.is_empty()
    }

    /// A few lines for people, each ending in a line break.
    pub(super) fn text(&self) -> String {
        let mut text = format!("CronJob {}/{}\n", one_line(&self.namespace), one_line(&self.name));
        let zone = self.time_zone.as_deref().map_or("UTC".into(), one_line);
        let reading = self.reading.as_ref().map(|reading| format!(": {reading}"));
        let (schedule, reading) = (one_line(&self.schedule), reading.unwrap_or_default());
        line(&mut text, "schedule", &format!("{schedule} ({zone}){reading}"));
        if let Some(problem) = &self.invalid_schedule {
            line(&mut text, "invalid", &one_line(problem));
        }
        let deadline = self.starting_deadline_seconds;
        let deadline = deadline.map(|seconds| format!(", startingDeadlineSeconds: {seconds}"));
        let policy = one_line(&self.concurrency_policy);
        line(
            &mut text,
            "policy",
            &format!("{policy}{}", deadline.unwrap_or_default()),
        );
        line(&mut text, "last run", &self.last_run());
        line(&mut text, "next run", &self.next_run());
        text.push_str(&self.table());
        for missed in &self.missed {
            line(&mut text, "missed", &format!("{}: {}", missed.reason, missed.summary));
        }
        text
    }

    fn last_run(&self) -> String {
        match self.last_schedule_time {
            Some(at) => format!("{at}, {} ago", between(at, self.now)),
            None => "none yet".into(),
        }
    }

    fn next_run(&self) -> String {
        match self.next_schedule_time {
            Some(at) => format!("{at}, in {}", between(self.now, at)),
            None if self.suspended => "none: it is suspended (spec.suspend)".into(),
            None if self.invalid_schedule.is_some() => "none: the schedule is invalid".into(),
            None => "none within five years".into(),
        }
    }

    /// The runs, in columns as wide as their widest cell.
    fn table(&self) -> String {
        if self.runs.is_empty() {
            return String::new();
        }
        let mut rows = vec![["scheduled for", "run", "outcome", "cause"].map(str::to_owned)];
        rows.extend(self.runs.iter().map(|run| {
            [
                run.slot.map_or_else(|| "-".into(), |slot| slot.to_string()),
                one_line(&run.name),
                run.outcome.clone(),
                run.cause.clone().unwrap_or_else(|| "-".into()),
            ]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        let row = |row: &[String; 4]| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("    {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        rows.iter().map(row).collect()
    }
}

impl CronJobRun {
    fn new(job: &Explained) -> CronJobRun {
        let Job {
            name, cronjob, created, ..
        } = &job.evidence.job;
        let outcome = job.judgement.outcome.as_str();
        CronJobRun {
            name: name.to_string(),
            slot: cronjob.as_ref().and_then(|cronjob| cronjob.scheduled),
            outcome: match job.stalled_since {
                Some(_) => format!("{outcome}, stalled"),
                None => outcome.to_owned(),
            },
            cause: job.judgement.cause.map(|cause| cause.as_str().to_owned()),
            seen: *created,
        }
    }
}

impl Missed {
    fn new(missed: &MissedRuns) -> Missed {
        Missed {
            slot: missed.first,
            last_slot: missed.last,
            count: missed.count,
            reason: missed.reason.as_str(),
            summary: missed.summary(),
        }
    }
}

/// `  schedule: text`.
fn line(text: &mut String, label: &str, value: &str) {
    text.push_str(&format!("  {:<10}{value}\n", format!("{label}:")));
}

fn between(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs();
    // A day from now the minutes do not matter.
    let whole = if seconds >= 600 {
        seconds - seconds % 60
    } else {
        seconds
    };
    span(whole as f64)
}
