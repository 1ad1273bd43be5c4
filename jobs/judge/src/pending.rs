//! The cause that blocks an unfinished Job.

use jiff::Timestamp;
use job_event::Outcome;
use job_event::evidence::{Evidence, Pod};

use crate::advice::Advice;
use crate::attempts;
use crate::case::{Case, is_terminal, shifted};
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::judge::{Judgement, judge};
use crate::rules::{admission, blocking};
use crate::summary;

/// An obstacle that the evidence proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The cause, the same as of a Job that failed because of it.
    pub cause: Cause,
    /// The cause as a clause, without a full stop.
    pub why: String,
    /// The next step: one or two sentences.
    pub next_step: &'static str,
    /// The names of the Pod and the container that it was found on.
    pub container: Option<(String, String)>,
}

/// A regular container ended within this time before `now`: the kubelet looks at containers once a second
/// (`genericPlegRelistPeriod` in `pkg/kubelet/kubelet.go`) and writes whole seconds, so the end of another one at the same
/// moment may not be known yet.
const ENDING_SECONDS: i64 = 1;

/// The cause that blocks a running Job at `now`, if the evidence proves one: the error of the latest live Pod that has one,
/// or the side container that keeps a Pod running; without a live Pod the reason why none could be created, else the cause of
/// the last failure. Slow work is not an error.
pub fn obstacle(evidence: &Evidence, now: Timestamp) -> Option<Obstacle> {
    let case = unfinished(evidence, now)?;
    let live = live(evidence);
    let finding = if !live.is_empty() {
        blocked(&case, &live)
    } else if evidence.job.status.active == 0 {
        admission::failed_create(&case).or_else(|| {
            let attempts = attempts::attempts(&case);
            attempts.iter().rev().find_map(|attempt| attempt.finding)
        })
    } else {
        None
    }?;
    Some(Obstacle {
        cause: finding.cause,
        why: summary::why_unfinished(&finding),
        next_step: Advice::of(&finding).next_step,
        container: finding
            .pod
            .zip(finding.container)
            .map(|(pod, container)| (pod.name.to_string(), container.name.to_string())),
    })
}

/// The case of an unfinished Job, decided `now`; `None` for any other one.
fn unfinished(evidence: &Evidence, now: Timestamp) -> Option<Case<'_>> {
    let decided = Some(now);
    (evidence.job.outcome() == Outcome::Running).then_some(Case { evidence, decided })
}

/// The Pods that have not ended, latest first.
fn live(evidence: &Evidence) -> Vec<&Pod> {
    let is_live = |pod: &&Pod| !pod.removed && !is_terminal(&pod.phase);
    evidence.pods.iter().filter(is_live).rev().collect()
}

/// The obstacle of one of the live Pods, latest first; else the deletion or the lost node, if that applies to all of them.
fn blocked<'a>(case: &Case<'a>, live: &[&'a Pod]) -> Option<Finding<'a>> {
    let now = case.decided?;
    let obstacle = |pod| blocking::blocking_error(case, pod).or_else(|| blocking::finished_beside(case, pod));
    let mut obstacles = live.iter().filter_map(|pod| obstacle(pod));
    obstacles.find(|found| is_proven(found, now)).or_else(|| {
        let ending: Option<Vec<Finding<'_>>> = live.iter().map(|pod| blocking::ending(case, pod)).collect();
        ending?.into_iter().next()
    })
}

/// The state of an unfinished Job without an obstacle, as a clause: the container that is running or has not started.
fn progress(evidence: &Evidence, now: Timestamp) -> Option<String> {
    let case = unfinished(evidence, now)?;
    let mut live = live(evidence);
    live.retain(|pod| pod.deletion.is_none() && !pod.from_events);
    match live[..] {
        [] if evidence.job.spec.parallelism == Some(0) => Some("its parallelism is 0, so it has no Pod".into()),
        [] => None,
        [pod] => blocking::progress(&case, pod).map(|finding| summary::why_unfinished(&finding)),
        ref pods => {
            let running = pods.iter().filter(|pod| &*pod.phase == "Running").count();
            Some(format!("{running} of {} Pods are running", pods.len()))
        }
    }
}

/// Judges a Job at `now`: the summary of an unfinished Job names its obstacle, with a next step, or else the container that is
/// running or has not started.
pub fn judge_at(evidence: &Evidence, now: Timestamp) -> Judgement {
    let mut judgement = judge(evidence);
    if let Some(obstacle) = obstacle(evidence, now) {
        judgement.summary = format!("Not finished yet: {}.", obstacle.why);
        judgement.next_step = Some(obstacle.next_step.to_owned());
    } else if let Some(progress) = progress(evidence, now) {
        judgement.summary = format!("Not finished yet: {progress}.");
    }
    judgement
}

/// A Pod without a node and without a message of a scheduler may only be young, and one with a container that has just ended
/// may only be ending.
fn is_proven(finding: &Finding<'_>, now: Timestamp) -> bool {
    match finding.cause {
        Cause::Unschedulable => finding.message.is_some(),
        Cause::SidecarBlockedCompletion => has_ended(finding, now),
        _ => !matches!(finding.beside, Some(Beside::Running(_))) || has_ended(finding, now),
    }
}

/// True if the container ended more than [`ENDING_SECONDS`] before `now`.
fn has_ended(finding: &Finding<'_>, now: Timestamp) -> bool {
    finding.at.is_some_and(|ended| now > shifted(ended, ENDING_SECONDS))
}

#[cfg(test)]
mod tests {
    use job_event::evidence::{Condition, Container, Event, Job, JobStatus, Waiting};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T17:00:00Z".parse().unwrap()
    }

    fn running(pods: Vec<Pod>) -> Evidence {
        let active = i32::try_from(pods.len()).unwrap();
        let status = JobStatus {
            active,
            ..JobStatus::default()
        };
        let job = Job {
            name: "j".into(),
            uid: "u".into(),
            status,
            ..Job::default()
        };
        Evidence {
            job,
            pods,
            events: Vec::new(),
            gaps: Vec::new(),
        }
    }

    fn waiting(reason: &str) -> Pod {
        Pod {
            name: "j-1".into(),
            uid: "p".into(),
            phase: "Pending".into(),
            node: Some("n".into()),
            containers: vec![Container {
                name: "main".into(),
                image: "no/such:1".into(),
                waiting: Some(Box::new(Waiting {
                    reason: reason.into(),
                    message: "not found".into(),
                })),
                ..Container::default()
            }],
            ..Pod::default()
        }
    }

    #[test]
    fn a_missing_image_is_an_obstacle() {
        let found = obstacle(&running(vec![waiting("ImagePullBackOff")]), now()).unwrap();
        assert_eq!(found.cause, Cause::ImagePull);
        assert_eq!(
            found.why,
            "image no/such:1 could not be pulled: “not found”; container main never started"
        );
        assert_eq!(found.container, Some(("j-1".into(), "main".into())));
    }

    #[test]
    fn a_slow_pod_is_no_obstacle() {
        let mut pod = waiting("ContainerCreating");
        assert_eq!(obstacle(&running(vec![pod.clone()]), now()), None);
        pod.node = None;
        assert_eq!(obstacle(&running(vec![pod.clone()]), now()), None);
        pod.not_scheduled = Some(Box::new(Condition {
            kind: "PodScheduled".into(),
            message: "0/3 nodes are available: 3 Insufficient cpu.".into(),
            ..Condition::default()
        }));
        assert_eq!(
            obstacle(&running(vec![pod]), now()).unwrap().cause,
            Cause::Unschedulable
        );
    }

    #[test]
    fn a_quota_that_forbids_pods_is_an_obstacle() {
        let mut evidence = running(Vec::new());
        evidence.events.push(Event {
            kind: "Job".into(),
            uid: "u".into(),
            reason: "FailedCreate".into(),
            message: "Error creating: pods \"j-1\" is forbidden: exceeded quota: q".into(),
            ..Event::default()
        });
        assert_eq!(obstacle(&evidence, now()).unwrap().cause, Cause::QuotaExceeded);
    }

    #[test]
    fn a_suspended_job_has_no_obstacle() {
        let mut evidence = running(vec![waiting("ImagePullBackOff")]);
        evidence.job.spec.suspend = true;
        evidence.job.status.conditions.push(Condition {
            kind: "Suspended".into(),
            is_true: true,
            ..Condition::default()
        });
        assert_eq!(obstacle(&evidence, now()), None);
    }
}
