//! Looks a name up in the cluster and at the collector, and answers from both.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_judge::{Quality, judge_at};
use job_watch::Kind;
use job_watch::access;
use job_watch::snapshot::Snapshot;

use super::answers::Answer;
use super::collector::Collector;
use super::cronjob::CronJobEvents;
use super::find::Finder;
use super::gone::RUNS;
use super::merge::best;
use super::overview::{self, Overview};
use super::{AnswerSource, Explained, notes, stalled, stored};
use crate::in_cluster::StoredEvent;

/// Where answers come from, at one moment.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub finder: Finder<'a>,
    pub collector: &'a Collector<'a>,
    pub stalled_after: SignedDuration,
    pub now: Timestamp,
}

impl Look<'_> {
    /// The Job of that name.
    pub(super) async fn job(self, namespace: &str, name: &str) -> Answer {
        let (events, found) = tokio::join!(self.collector.job(namespace, name), self.finder.job(name));
        let read = match found {
            Ok(Some(snapshot)) => self.living(snapshot, &events).await.map(Some),
            Ok(None) => self.finder.gone_job(name).await.map(|gone| {
                let gone = gone?;
                Some((warnings(&gone), self.all(gone).pop()?))
            }),
            Err(problem) => Err(problem),
        };
        let of = |live: &Explained| stored_of(&events, &live.evidence.job.uid);
        let mut answer = Answer::default();
        let job = match read {
            Ok(Some((warnings, live))) => {
                answer.notes = warnings;
                match of(&live) {
                    Some(stored) => best(live, stored),
                    None => live,
                }
            }
            Ok(None) => match stored_of(&events, "") {
                Some(stored) => stored.noted_as_deleted(true),
                None => {
                    let mut answer = Answer::missing(self.finder.no_job(name).await);
                    answer.notes.extend(self.collector.problem());
                    return answer;
                }
            },
            Err(problem) => match stored_of(&events, "") {
                Some(stored) => {
                    answer.notes.push(problem);
                    stored
                }
                None => return Answer::unreadable(problem),
            },
        };
        answer.jobs.push(self.with_stall(job, &events));
        answer.notes.extend(self.collector.unexpected_problem());
        answer
    }

    /// The Job of a snapshot, which exists, and the notes on what is missing for every Job. Its Pods and Events are not read if the
    /// collector has seen everything.
    async fn living(self, mut snapshot: Snapshot, events: &[StoredEvent]) -> Result<(Vec<String>, Explained), String> {
        let job = snapshot.jobs().next().map(|job| job.to_evidence());
        let job = job.ok_or("the list of Jobs has no Job")?;
        let is_of_job = |event: &&StoredEvent| event.is_finished() && *event.uid == *job.uid;
        let stored = events.iter().find(is_of_job).map(stored::explained);
        if let Some(stored) = stored.filter(|stored| stored.judgement.quality == Quality::Complete) {
            return Ok((Vec::new(), stored));
        }
        self.finder.about_job(&mut snapshot).await?;
        let warnings = warnings(&snapshot);
        let live = self.all(snapshot).pop();
        Ok((warnings, live.ok_or("the list of Jobs has no usable Job")?))
    }

    /// The runs of a CronJob: those that exist, and the latest that the collector keeps.
    pub(super) async fn cronjob(self, namespace: &str, name: &str) -> Answer {
        let kept = self.collector.runs(namespace, name, overview::RUNS);
        let (kept, found) = tokio::join!(kept, self.finder.cronjob(name));
        let mut answer = Answer::default();
        let (snapshot, runs) = match found {
            Ok(found) => found,
            Err(problem) if kept.is_empty() => return Answer::unreadable(problem),
            Err(problem) => {
                answer.notes.push(problem);
                Default::default()
            }
        };
        answer.notes.extend(warnings(&snapshot));
        let problems = runs.problems.iter();
        answer
            .notes
            .extend(problems.map(|problem| format!("Event of the CronJob: {problem}")));
        let missed = job_tracker::snapshot::missed_runs(&snapshot, self.now);
        let mut overview = snapshot
            .cronjobs()
            .next()
            .map(|cronjob| Overview::new(cronjob, &missed, self.now));
        let has_jobs = snapshot.count(Kind::Jobs) > 0;
        let no_run = (!has_jobs && runs.runs.is_empty()).then(|| self.finder.no_run(&snapshot, name, &runs));
        let mut evidence = job_tracker::snapshot::evidence(snapshot, self.now);
        if !has_jobs {
            add_runs(&mut evidence, &runs, namespace, name);
        }
        // Only an Event names these, without a UID, and the collector knows more.
        evidence.retain(|run| !run.job.uid.is_empty() || kept.iter().all(|event| *event.name != *run.job.name));
        let jobs = evidence.into_iter().map(|evidence| self.explained(evidence)).collect();
        let mut jobs = self.collector.merged(jobs, kept).await;
        sort_by_start(&mut jobs);
        if let Some(overview) = &mut overview {
            overview.add_runs(&jobs, &runs);
        }
        if jobs.is_empty() {
            let problem = no_run.unwrap_or_else(|| unfinished_runs(&runs, name));
            answer.unanswered = Answer::missing(problem).unanswered;
            answer.notes.extend(self.collector.problem());
        } else {
            answer.notes.extend(self.collector.unexpected_problem());
        }
        Answer {
            overview,
            jobs,
            ..answer
        }
    }

    /// The Jobs that the label selector of the finder matches, newest first.
    pub(super) async fn selected(self) -> Answer {
        let snapshot = match self.finder.selected_jobs().await {
            Ok(snapshot) => snapshot,
            Err(problem) => return Answer::unreadable(problem),
        };
        let notes = warnings(&snapshot);
        let mut jobs = self.collector.merged(self.all(snapshot), Vec::new()).await;
        sort_by_start(&mut jobs);
        if jobs.is_empty() {
            let (labels, place) = (self.finder.labels, self.finder.place());
            return Answer::missing(format!(
                "no Job with the labels {labels:?} in {place}; `kubectl get jobs --show-labels` lists the labels"
            ));
        }
        let mut answer = Answer {
            jobs,
            notes,
            ..Answer::default()
        };
        answer.notes.extend(self.collector.unexpected_problem());
        answer
    }

    /// The Jobs that failed at most `since` ago, the latest failure first; `note` is the note if none did.
    pub(super) async fn all_failed(self, since: Option<SignedDuration>, note: impl Fn(usize) -> String) -> Answer {
        let kept = self.collector.failed(self.finder.namespace, since, self.now);
        let (mut kept, found) = tokio::join!(kept, self.finder.all_failed(since, self.now));
        let mut answer = Answer::default();
        let (live, looked_at) = match found {
            Ok((snapshot, looked_at)) => {
                answer.notes = warnings(&snapshot);
                (self.all(snapshot), looked_at)
            }
            Err(problem) if kept.is_empty() => return Answer::unreadable(problem),
            Err(problem) => {
                answer.notes.push(problem);
                (Vec::new(), 0)
            }
        };
        if !self.finder.labels.is_empty() {
            // An event has no labels to select by.
            kept.clear();
        }
        let mut jobs = self.collector.merged(live, kept).await;
        jobs.sort_by_key(|job| Reverse(job.evidence.job.decided_at()));
        if jobs.is_empty() {
            answer.notes.push(note(looked_at));
        }
        answer.notes.extend(self.collector.unexpected_problem());
        Answer { jobs, ..answer }
    }

    /// The stalled Jobs whose stall began at most `since` ago, the longest first; `note` is the note if none is.
    pub(super) async fn stalled(self, since: Option<SignedDuration>, note: impl Fn(usize) -> String) -> Answer {
        let stalls = self.collector.stalls(self.finder.namespace);
        let (stalls, found) = tokio::join!(stalls, self.finder.all_unfinished());
        let snapshot = match found {
            Ok(snapshot) => snapshot,
            Err(problem) => return Answer::unreadable(problem),
        };
        let mut notes = warnings(&snapshot);
        let jobs = self.all(snapshot);
        let unfinished = jobs.len();
        let is_within = |began: Timestamp| since.is_none_or(|since| self.now.duration_since(began) <= since);
        let mut jobs: Vec<Explained> = jobs.into_iter().map(|job| self.with_stall(job, &stalls)).collect();
        jobs.retain(|job| job.stalled_since.is_some_and(is_within));
        jobs.sort_by_key(|job| job.stalled_since);
        if jobs.is_empty() {
            notes.push(note(unfinished));
        }
        notes.extend(self.collector.unexpected_problem());
        Answer {
            jobs,
            notes,
            ..Answer::default()
        }
    }

    /// An unfinished Job with the stall that the collector reports, if its objects do not prove one.
    fn with_stall(self, mut job: Explained, events: &[StoredEvent]) -> Explained {
        if let Some(stall) = stored::open_stall(events, &job.evidence.job.uid).filter(|_| !job.has_ended()) {
            stored::add_stall(&mut job, stall, self.stalled_after, self.now);
        }
        job
    }

    /// The Jobs of a snapshot.
    fn all(self, snapshot: Snapshot) -> Vec<Explained> {
        let evidence = job_tracker::snapshot::evidence(snapshot, self.now);
        evidence.into_iter().map(|evidence| self.explained(evidence)).collect()
    }

    fn explained(self, evidence: Evidence) -> Explained {
        let mut judgement = judge_at(&evidence, self.now);
        let stalled_since = stalled::add(&evidence, &mut judgement, self.stalled_after, self.now);
        Explained {
            notes: notes::notes(&evidence, &judgement, self.now),
            judgement,
            evidence,
            source: AnswerSource::Cluster,
            stalled_since,
            log: None,
        }
    }
}

/// The event of the end of that Job, else of the latest one of the name.
fn stored_of(events: &[StoredEvent], uid: &str) -> Option<Explained> {
    let mut finished = events.iter().filter(|event| event.is_finished());
    let of_job = finished.clone().find(|event| event.uid == uid);
    of_job.or_else(|| finished.next()).map(stored::explained)
}

/// The newest Job first.
fn sort_by_start(jobs: &mut [Explained]) {
    jobs.sort_by_key(|job| {
        let job = &job.evidence.job;
        Reverse(job.created.or(job.status.start_time).or(job.decided_at()))
    });
}

/// Notes on evidence that is missing for every Job. CronJobs add nothing to the verdict on a Job that still exists.
fn warnings(snapshot: &Snapshot) -> Vec<String> {
    let refused = |kind| snapshot.forbidden.contains(&kind);
    let mut notes = Vec::new();
    if refused(Kind::Pods) {
        notes.push(format!("Not allowed to list Pods: {}.", access::loss(Kind::Pods)));
    }
    if refused(Kind::JobEvents) || refused(Kind::PodEvents) {
        notes.push(format!(
            "Not allowed to list Events: {}.",
            access::loss(Kind::JobEvents)
        ));
    }
    let unreadable = snapshot.undecodable.iter();
    notes.extend(unreadable.map(|problem| format!("skipped an unreadable object: {problem}")));
    notes
}

/// The error for deleted runs without a known outcome.
fn unfinished_runs(found: &CronJobEvents, cronjob: &str) -> String {
    let runs: String = found.runs.iter().rev().map(|run| format!("\n  {run}")).collect();
    format!("no run of CronJob {cronjob:?} exists, and no Event has the outcome of a run; its Events name:{runs}")
}

/// Adds the runs of a CronJob whose own Events are gone.
fn add_runs(evidence: &mut Vec<Evidence>, found: &CronJobEvents, namespace: &str, cronjob: &str) {
    for run in found.runs.iter().take(RUNS) {
        if evidence.iter().all(|known| *known.job.name != *run.name) {
            evidence.extend(run.evidence(namespace, cronjob));
        }
    }
}
