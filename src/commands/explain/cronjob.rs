//! The Events of a CronJob, for runs that are deleted and runs that were never created. Pure.
//!
//! Source: `pkg/controller/cronjob/cronjob_controllerv2.go` of Kubernetes.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use job_event::Evidence;
use job_event::evidence::{Condition, CronJob, Gap, Job, JobStatus, Removal};
use job_watch::model::Event;

use super::gone::last;
use super::notes::one_line;

/// The component that writes the Events about CronJobs.
const CONTROLLER: &str = "cronjob-controller";
/// The most problems that are shown, the latest ones.
const PROBLEMS: usize = 5;

/// A run of a CronJob that is known from Events of the CronJob only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GoneRun {
    pub name: String,
    /// When the CronJob controller last observed it.
    pub seen: Option<Timestamp>,
    /// The condition with which it finished: `Complete` or `Failed`.
    pub condition: Option<String>,
}

/// The runs and problems that the Events of CronJobs name.
#[derive(Debug, Default)]
pub(super) struct CronJobEvents {
    /// The runs, latest first.
    pub runs: Vec<GoneRun>,
    /// The warnings and the runs that were not created: one line each, latest last.
    pub problems: Vec<String>,
}

impl CronJobEvents {
    pub(super) fn of<'a>(events: impl Iterator<Item = &'a Event>) -> CronJobEvents {
        let mut events: Vec<&Event> = events.filter(|event| is_about_cronjob(event)).collect();
        events.sort_by_key(|event| last(event));
        let mut runs: BTreeMap<&str, GoneRun> = BTreeMap::new();
        let mut problems = Vec::new();
        for event in events {
            let Some((name, condition)) = run(&event.message) else {
                problems.push(line(event));
                continue;
            };
            let known = runs.entry(name).or_default();
            known.name = name.to_owned();
            known.seen = known.seen.max(last(event));
            if let Some(condition) = condition {
                known.condition = Some(condition.to_owned());
            }
        }
        let mut runs: Vec<GoneRun> = runs.into_values().collect();
        runs.sort_by(|a, b| (b.seen, &b.name).cmp(&(a.seen, &a.name)));
        let problems = problems.split_off(problems.len().saturating_sub(PROBLEMS));
        CronJobEvents { runs, problems }
    }
}

/// True for an Event of the controller of CronJobs about one of them.
pub(super) fn is_about_cronjob(event: &Event) -> bool {
    &*event.involved_object.kind == "CronJob" && event.component() == CONTROLLER
}

/// The run that a message names, and the condition with which it finished.
fn run(message: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = message.strip_prefix("Saw completed job: ") {
        let (name, condition) = rest.split_once(", ").unwrap_or((rest, ""));
        // Before Kubernetes 1.31: `status: Failed`.
        let condition = condition.rsplit_once(": ").map(|(_, condition)| condition.trim());
        return Some((name.trim(), condition));
    }
    let name = ["Created job ", "Deleted job "]
        .iter()
        .find_map(|lead| message.strip_prefix(lead))?;
    Some((name.trim(), None))
}

/// `2026-11-23T16:15:00Z  MissSchedule: Missed scheduled time to start a job: ...`
fn line(event: &Event) -> String {
    format!(
        "{}  {}: {}",
        time(last(event)),
        one_line(&event.reason),
        one_line(&event.message)
    )
}

impl fmt::Display for GoneRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self.condition.as_deref().unwrap_or("no outcome");
        write!(
            f,
            "{}  Job {}: {}",
            time(self.seen),
            one_line(&self.name),
            one_line(condition)
        )
    }
}

/// A time for people.
fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string())
}

impl GoneRun {
    /// All that is known about it, if it finished.
    pub(super) fn evidence(&self, namespace: &str, cronjob: &str) -> Option<Evidence> {
        let condition = Condition {
            kind: self.condition.as_deref()?.into(),
            is_true: true,
            since: self.seen,
            ..Condition::default()
        };
        let job = Job {
            namespace: namespace.into(),
            name: (*self.name).into(),
            cronjob: Some(Box::new(CronJob {
                name: cronjob.into(),
                ..CronJob::default()
            })),
            status: JobStatus {
                conditions: vec![condition],
                ..JobStatus::default()
            },
            removed: self.seen.map(|at| Removal { at, replaced: false }),
            ..Job::default()
        };
        Some(Evidence {
            job,
            pods: Vec::new(),
            events: Vec::new(),
            gaps: vec![Gap::EndNotSeen],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(component: &str, reason: &str, message: &str, minute: u8) -> Event {
        let event = json!({"metadata": {"namespace": "n"}, "reason": reason, "message": message,
            "source": {"component": component}, "involvedObject": {"kind": "CronJob", "name": "c"},
            "lastTimestamp": format!("2026-11-23T16:{minute:02}:00Z")});
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn events_name_the_runs_and_how_they_finished() {
        let events = [
            event(CONTROLLER, "SuccessfulCreate", "Created job c-1", 1),
            event(
                CONTROLLER,
                "SawCompletedJob",
                "Saw completed job: c-1, condition: Failed",
                3,
            ),
            event(CONTROLLER, "SuccessfulDelete", "Deleted job c-1", 4),
            event(
                CONTROLLER,
                "SawCompletedJob",
                "Saw completed job: c-2, status: Complete",
                5,
            ),
            event(
                "kubectl",
                "SawCompletedJob",
                "Saw completed job: c-9, condition: Failed",
                9,
            ),
            event(CONTROLLER, "MissSchedule", "Missed scheduled time to start a job: x", 6),
        ];
        let found = CronJobEvents::of(events.iter());
        let runs: Vec<_> = found
            .runs
            .iter()
            .map(|run| (&*run.name, run.condition.as_deref()))
            .collect();
        assert_eq!(runs, [("c-2", Some("Complete")), ("c-1", Some("Failed"))]);
        assert_eq!(
            found.problems,
            ["2026-11-23T16:06:00Z  MissSchedule: Missed scheduled time to start a job: x"]
        );
        let evidence = found.runs[1].evidence("n", "c").unwrap();
        assert_eq!(evidence.job.outcome(), job_event::Outcome::Failed);
        assert!(GoneRun::default().evidence("n", "c").is_none());
    }
}
