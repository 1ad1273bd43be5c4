//! The story of one scenario: what is to happen next, and what was written so far.

use super::cron::Cron;
use super::events::Recorder;
use super::kubelet::PodStep;
use super::pod::PodRun;
use super::{Scenario, objects};
use crate::ids::Ids;
use crate::resource::{ChangeType, Resource};
use crate::timeline::Step;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A story that would never end (an image that is never there, and no deadline) is cut here.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// A thing to come.
#[derive(Clone, Debug)]
pub(super) enum Action {
    CreateJob,
    SyncJob,
    CreatePod,
    /// The time to live of a finished Job is over.
    Expire,
    /// A step of a Pod, unless its life took another turn meanwhile.
    Pod {
        pod: usize,
        life: u32,
        step: PodStep,
    },
}

/// The Job as its controller knows it.
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

pub(super) struct Run<'a> {
    pub scenario: &'a Scenario,
    pub ids: &'a mut Ids,
    pub now: Duration,
    pub job: JobRun,
    pub pods: Vec<PodRun>,
    pub cron: Option<Cron>,
    pub recorder: Recorder,
    /// Starts of containers so far; each takes the next entry of the script.
    pub attempts: usize,
    start: Timestamp,
    /// How many times faster than it is told the story happens.
    pace: u32,
    agenda: BTreeMap<(Duration, u64), Action>,
    planned: u64,
    written: Vec<Step>,
}

/// A duration in milliseconds.
pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl<'a> Run<'a> {
    pub fn new(scenario: &'a Scenario, start: Timestamp, pace: u32, ids: &'a mut Ids) -> Run<'a> {
        Run {
            scenario,
            ids,
            now: Duration::ZERO,
            job: JobRun::default(),
            pods: Vec::new(),
            cron: None,
            recorder: Recorder::default(),
            attempts: 0,
            start,
            pace: pace.max(1),
            agenda: BTreeMap::new(),
            planned: 0,
            written: Vec::new(),
        }
    }

    /// Plays the story to its end.
    pub fn finish(mut self) -> Vec<Step> {
        let created_in = if self.scenario.manifest["kind"] == "CronJob" {
            self.create_cron_job()
        } else {
            ms(0)
        };
        self.plan(created_in, Action::CreateJob);
        while let Some(((at, _), action)) = self.agenda.pop_first() {
            if at > LONGEST {
                break;
            }
            self.now = at;
            match action {
                Action::CreateJob => self.create_job(),
                Action::SyncJob => self.sync_job(),
                Action::CreatePod => self.create_pods(),
                Action::Expire => self.expire_job(),
                Action::Pod { pod, life, step } if self.pods.get(pod).is_some_and(|pod| pod.life == life) => {
                    self.pod_step(pod, step);
                }
                Action::Pod { .. } => {}
            }
        }
        let mut written = self.written;
        written.sort_by_key(|step| step.at);
        written
    }

    /// Lets something happen after a while.
    pub fn plan(&mut self, after: Duration, action: Action) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), action);
    }

    /// Writes a version of an object, `after` from now.
    pub fn write(&mut self, after: Duration, resource: Resource, change: ChangeType, object: &Value) {
        self.written.push(Step {
            at: (self.now + after) / self.pace,
            resource,
            change,
            object: object.clone(),
        });
    }

    /// The time `after` from now, as objects carry it.
    pub fn time(&self, after: Duration) -> String {
        self.timestamp(self.now + after)
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    }

    /// A point of the story on the calendar.
    pub fn timestamp(&self, at: Duration) -> Timestamp {
        let offset = SignedDuration::try_from(at / self.pace).unwrap_or(SignedDuration::ZERO);
        self.start.checked_add(offset).unwrap_or(self.start)
    }

    fn create_job(&mut self) {
        let created = self.time(ms(0));
        let manifest = self.cron_job_run().unwrap_or_else(|| self.scenario.manifest.clone());
        self.job.object = objects::job(&manifest, &self.scenario.namespace, &created, self.ids);
        let object = self.job.object.clone();
        self.write(ms(0), Resource::Jobs, ChangeType::Added, &object);
        self.cron_job_started();
        self.plan_sync(ms(8));
    }
}
