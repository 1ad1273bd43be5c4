//! The run of one scenario: the steps to come, and the versions written so far.

use super::cron::Cron;
use super::events::Recorder;
use super::kubelet::PodStep;
use super::pod::PodRun;
use super::{Scenario, objects};
use crate::ids::Ids;
use crate::resource::{ChangeType, Resource};
use crate::timeline::TimelineStep;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A run without an end (an image that cannot be pulled, and no deadline) is cut here.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// A step to come.
#[derive(Clone, Debug)]
pub(super) enum PlannedAction {
    CreateJob,
    SyncJob,
    CreatePod,
    /// The time to live of a finished Job has passed.
    Expire,
    /// A step of a Pod, unless its plan changed meanwhile.
    Pod {
        pod: usize,
        plan: u32,
        step: PodStep,
    },
}

/// The controller's state of the Job.
#[derive(Debug, Default)]
pub(super) struct JobRun {
    pub object: Value,
    pub active: usize,
    pub ready: usize,
    pub terminating: usize,
    pub succeeded: usize,
    pub failed: usize,
    pub uncounted_succeeded: Vec<String>,
    pub uncounted_failed: Vec<String>,
    pub conditions: Vec<Value>,
    pub start_time: Option<Duration>,
    pub completion_time: Option<Duration>,
    /// The reason and message of the verdict, once there is one.
    pub verdict: Option<(&'static str, &'static str)>,
    pub finished: bool,
    pub sync_planned: bool,
    pub pod_planned: bool,
}

pub(super) struct ScenarioRun<'a> {
    pub scenario: &'a Scenario,
    pub ids: &'a mut Ids,
    pub now: Duration,
    pub job: JobRun,
    pub pods: Vec<PodRun>,
    pub cron: Option<Cron>,
    pub recorder: Recorder,
    /// The number of container starts so far; each takes the next entry of the script.
    pub attempts: usize,
    start: Timestamp,
    /// How many times faster than in a real cluster everything happens.
    pace: u32,
    agenda: BTreeMap<(Duration, u64), PlannedAction>,
    planned: u64,
    written: Vec<TimelineStep>,
}

/// A duration in milliseconds.
pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl<'a> ScenarioRun<'a> {
    pub(super) fn new(scenario: &'a Scenario, start: Timestamp, pace: u32, ids: &'a mut Ids) -> ScenarioRun<'a> {
        ScenarioRun {
            scenario,
            ids,
            now: Duration::ZERO,
            job: JobRun::default(),
            pods: Vec::new(),
            cron: None,
            recorder: Recorder::new(),
            attempts: 0,
            start,
            pace: pace.max(1),
            agenda: BTreeMap::new(),
            planned: 0,
            written: Vec::new(),
        }
    }

    /// Runs the scenario to its end.
    pub(super) fn finish(mut self) -> Vec<TimelineStep> {
        let created_in = if self.scenario.manifest["kind"] == "CronJob" {
            self.create_cron_job()
        } else {
            ms(0)
        };
        self.plan(created_in, PlannedAction::CreateJob);
        while let Some(((at, _), action)) = self.agenda.pop_first() {
            if at > LONGEST {
                break;
            }
            self.now = at;
            match action {
                PlannedAction::CreateJob => self.create_job(),
                PlannedAction::SyncJob => self.sync_job(),
                PlannedAction::CreatePod => self.create_pods(),
                PlannedAction::Expire => self.expire_job(),
                PlannedAction::Pod { pod, plan, step } if self.pods[pod].plan == plan => {
                    self.pod_step(pod, step);
                }
                PlannedAction::Pod { .. } => {}
            }
        }
        let mut written = self.written;
        written.sort_by_key(|step| step.at);
        written
    }

    /// Plans a step, `after` from now.
    pub(super) fn plan(&mut self, after: Duration, action: PlannedAction) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), action);
    }

    /// Writes a version of an object, `after` from now.
    pub(super) fn write(&mut self, after: Duration, resource: Resource, change: ChangeType, object: &Value) {
        self.written.push(TimelineStep {
            at: (self.now + after) / self.pace,
            resource,
            change,
            object: object.clone(),
        });
    }

    /// The time `after` from now, in the format of objects.
    pub(super) fn time(&self, after: Duration) -> String {
        self.timestamp(self.now + after)
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    }

    /// The time of a point of the run.
    pub(super) fn timestamp(&self, at: Duration) -> Timestamp {
        let offset = SignedDuration::try_from(at / self.pace).unwrap_or(SignedDuration::ZERO);
        self.start.checked_add(offset).unwrap_or(self.start)
    }

    fn create_job(&mut self) {
        let created = self.time(ms(0));
        let manifest = self.cron_job_run().unwrap_or_else(|| self.scenario.manifest.clone());
        self.job.object = objects::job(&manifest, &self.scenario.namespace, &created, self.ids);
        self.write_job_object(ms(0), ChangeType::Added);
        self.cron_job_started();
        self.plan_sync(ms(8));
    }
}
