//! Generated Jobs that make no progress until they are released.

use super::generator::{GeneratedJob, JobGenerator};
use crate::ids::Ids;
use crate::resource::{ChangeType, Resource};
use crate::timeline::TimelineStep;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// The obstacle of a Job that makes no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// A quota forbids its Pod.
    Quota,
    /// No node fits its Pod.
    Unschedulable,
    /// Its image cannot be pulled.
    ImagePull,
    /// Its ConfigMap is missing.
    MissingConfigMap,
    /// None: its container runs until then.
    RunsLong,
}

impl Obstacle {
    /// Every obstacle.
    pub const ALL: [Obstacle; 5] = [
        Obstacle::Quota,
        Obstacle::Unschedulable,
        Obstacle::ImagePull,
        Obstacle::MissingConfigMap,
        Obstacle::RunsLong,
    ];

    /// True for the step that it prevents.
    fn prevents(self, step: &TimelineStep) -> bool {
        let pod = &step.object;
        step.resource == Resource::Pods
            && match self {
                Obstacle::Quota => step.change == ChangeType::Added,
                Obstacle::Unschedulable => pod["spec"]["nodeName"].is_string(),
                Obstacle::ImagePull | Obstacle::MissingConfigMap => {
                    pod["status"]["containerStatuses"][0]["state"]["running"].is_object()
                }
                Obstacle::RunsLong => pod["status"]["containerStatuses"][0]["state"]["terminated"].is_object(),
            }
    }

    /// The Pod's state that shows it, or the reason and message of an Event about the Job.
    fn show(self, last: &TimelineStep, time: &str, ids: &mut Ids) -> TimelineStep {
        let mut step = last.clone();
        let status = &mut step.object["status"];
        let waiting = |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
        match self {
            Obstacle::Quota => return failed_create(last, time, ids),
            Obstacle::Unschedulable => {
                status["conditions"] = json!([{
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 \
                                nodes are available: 1 Preemption is not helpful for scheduling.",
                    "lastProbeTime": null,
                    "lastTransitionTime": time,
                }]);
            }
            Obstacle::ImagePull => {
                status["containerStatuses"][0]["state"] = waiting(
                    "ImagePullBackOff",
                    "Back-off pulling image \"busybox\": ErrImagePull: failed to pull and unpack image \
                     \"docker.io/library/busybox:latest\": not found",
                );
            }
            Obstacle::MissingConfigMap => {
                status["containerStatuses"][0]["state"] =
                    waiting("CreateContainerConfigError", "configmap \"settings\" not found");
            }
            Obstacle::RunsLong => {}
        }
        step.change = ChangeType::Modified;
        step
    }
}

fn failed_create(job: &TimelineStep, time: &str, ids: &mut Ids) -> TimelineStep {
    let metadata = &job.object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let message = format!(
        "Error creating: pods \"{name}-{}\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=0, limited: pods=0",
        ids.suffix()
    );
    let object = json!({
        "metadata": {
            "name": format!("{name}.{:016x}", ids.bits()),
            "namespace": metadata["namespace"],
            "uid": ids.uid(),
            "creationTimestamp": time,
        },
        "involvedObject": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "namespace": metadata["namespace"],
            "name": name,
            "uid": metadata["uid"],
        },
        "reason": "FailedCreate",
        "message": message,
        "source": {"component": "job-controller"},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "type": "Warning",
        "eventTime": null,
        "reportingComponent": "job-controller",
        "reportingInstance": "",
    });
    TimelineStep {
        at: job.at,
        resource: Resource::Events,
        change: ChangeType::Added,
        object,
    }
}

/// A Job that makes no progress.
#[derive(Clone, Debug)]
pub struct StuckJob {
    /// The Job until it is stuck.
    pub job: GeneratedJob,
    /// The steps after its release.
    rest: Vec<TimelineStep>,
    /// When it got stuck, since its creation.
    pub stuck_at: Duration,
}

impl StuckJob {
    /// The steps that follow if it is released `after` its creation: the obstacle is gone, and it ends as generated.
    pub fn release(&self, after: Duration) -> Vec<TimelineStep> {
        let delay = after.saturating_sub(self.stuck_at);
        let by = SignedDuration::try_from(delay).unwrap_or_default();
        let shift = |step: &TimelineStep| {
            let uid = &step.object["metadata"]["uid"];
            let before = self
                .job
                .steps
                .iter()
                .rfind(|step| step.object["metadata"]["uid"] == *uid);
            let mut object = step.object.clone();
            postpone(&mut object, before.map_or(&Value::Null, |step| &step.object), by);
            TimelineStep {
                at: step.at + delay,
                object,
                ..step.clone()
            }
        };
        self.rest.iter().map(shift).collect()
    }

    /// The steps that follow if it is deleted `after` its creation, the Job first.
    pub fn delete(&self, after: Duration) -> Vec<TimelineStep> {
        let last = |resource| self.job.steps.iter().rfind(|step| step.resource == resource);
        let steps = [Resource::Jobs, Resource::Pods].into_iter().filter_map(last);
        let deleted = |step: &TimelineStep| TimelineStep {
            at: after,
            change: ChangeType::Deleted,
            ..step.clone()
        };
        steps.map(deleted).collect()
    }
}

impl JobGenerator {
    /// A Job that was created at `start` meets an obstacle.
    pub fn stuck(&mut self, mut job: GeneratedJob, obstacle: Obstacle, start: Timestamp) -> StuckJob {
        let cut = job.steps.iter().position(|step| obstacle.prevents(step));
        let mut rest = job.steps.split_off(cut.unwrap_or(job.steps.len()));
        let stuck_at = rest.first().map_or(Duration::ZERO, |step| step.at);
        let resource = if obstacle == Obstacle::Quota {
            Resource::Jobs
        } else {
            Resource::Pods
        };
        let offset = SignedDuration::try_from(stuck_at).unwrap_or_default();
        let time = start.saturating_add(offset).unwrap_or(start);
        let time = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        if let Some(last) = job.steps.iter().rfind(|step| step.resource == resource) {
            let shown = obstacle.show(last, &time, self.ids());
            if obstacle == Obstacle::Quota {
                // The controller has synchronized the Job.
                let mut synced = last.clone();
                synced.change = ChangeType::Modified;
                synced.object["status"] = json!({"startTime": last.object["metadata"]["creationTimestamp"]});
                job.steps.push(synced);
            }
            job.steps.push(TimelineStep { at: stuck_at, ..shown });
        }
        if obstacle == Obstacle::Unschedulable {
            // The scheduler replaces its condition.
            rest.retain(|step| step.resource != Resource::Events || step.object["reason"] != "FailedScheduling");
        }
        StuckJob { job, rest, stuck_at }
    }
}

/// Postpones the times in an object that its version `before` does not have.
fn postpone(object: &mut Value, before: &Value, by: SignedDuration) {
    match object {
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(name, value)| postpone(value, &before[name.as_str()], by)),
        Value::Array(values) => values
            .iter_mut()
            .enumerate()
            .for_each(|(index, value)| postpone(value, &before[index], by)),
        Value::String(text) if before.as_str() != Some(text) => {
            let Ok(time) = text.parse::<Timestamp>() else { return };
            let format = match text.contains('.') {
                true => "%Y-%m-%dT%H:%M:%S%.6fZ",
                false => "%Y-%m-%dT%H:%M:%SZ",
            };
            let later = time.saturating_add(by).unwrap_or(time);
            *text = later.strftime(format).to_string();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Ending;

    fn start() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn stuck(obstacle: Obstacle, ending: Ending) -> StuckJob {
        let mut jobs = JobGenerator::new("n", 20, start(), Ids::new(1));
        let job = jobs.job("j", ending, None, start());
        jobs.stuck(job, obstacle, start())
    }

    fn last(steps: &[TimelineStep], resource: Resource) -> &Value {
        &steps.iter().rfind(|step| step.resource == resource).unwrap().object
    }

    #[test]
    fn each_obstacle_shows() {
        let waiting = |obstacle| {
            let steps = stuck(obstacle, Ending::Succeeded).job.steps;
            last(&steps, Resource::Pods)["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].clone()
        };
        assert_eq!(waiting(Obstacle::ImagePull), "ImagePullBackOff");
        assert_eq!(waiting(Obstacle::MissingConfigMap), "CreateContainerConfigError");
        let steps = stuck(Obstacle::Unschedulable, Ending::Succeeded).job.steps;
        let pod = last(&steps, Resource::Pods);
        assert_eq!(pod["status"]["conditions"][0]["reason"], "Unschedulable");
        assert!(pod["spec"]["nodeName"].is_null());
        let steps = stuck(Obstacle::Quota, Ending::Succeeded).job.steps;
        assert!(steps.iter().all(|step| step.resource != Resource::Pods));
        assert_eq!(last(&steps, Resource::Events)["reason"], "FailedCreate");
    }

    #[test]
    fn a_released_job_ends_later() {
        for obstacle in Obstacle::ALL {
            for (ending, condition) in [(Ending::Succeeded, "Complete"), (Ending::Failed, "Failed")] {
                let stuck = stuck(obstacle, ending);
                let released = stuck.release(stuck.stuck_at + Duration::from_secs(100));
                assert!(
                    released.iter().all(|step| step.at >= Duration::from_secs(100)),
                    "{obstacle:?}"
                );
                let job = last(&released, Resource::Jobs);
                let conditions = job["status"]["conditions"].as_array().unwrap();
                let end = conditions.iter().find(|found| found["type"] == condition).unwrap();
                assert!(*end["lastTransitionTime"].as_str().unwrap() >= *"1970-01-01T00:01:40Z");
                assert_eq!(job["metadata"]["creationTimestamp"], "1970-01-01T00:00:00Z");
                assert_eq!(job["status"]["startTime"], "1970-01-01T00:00:00Z");
            }
        }
    }

    #[test]
    fn a_stuck_job_can_be_deleted() {
        let deleted = stuck(Obstacle::ImagePull, Ending::Deleted).delete(Duration::from_secs(9));
        let found: Vec<_> = deleted
            .iter()
            .map(|step| (step.resource, step.change, step.at))
            .collect();
        let at = Duration::from_secs(9);
        assert_eq!(
            found,
            [
                (Resource::Jobs, ChangeType::Deleted, at),
                (Resource::Pods, ChangeType::Deleted, at)
            ]
        );
    }
}
