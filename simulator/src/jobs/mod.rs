//! Plays Jobs from manifests: a small job controller, scheduler and kubelet that write the versions of objects and the
//! Events of the real ones, in their order. Pure: a scenario and a start time give a timeline.

mod controller;
mod cron;
mod events;
mod generated_cron;
mod generator;
mod kubelet;
pub(crate) mod objects;
mod pod;
mod pod_events;
mod run;
mod scenario;
mod stuck;
mod waiting;

pub use generated_cron::GeneratedCronJob;
pub use generator::{Ending, GeneratedJob, JobGenerator};
pub use scenario::{Scenario, ScenarioError};
pub use stuck::{Obstacle, StuckJob};

use crate::ids::Ids;
use crate::timeline::TimelineStep;
use jiff::Timestamp;
use run::ScenarioRun;

impl Scenario {
    /// The timeline from `start` on. Timestamps in the objects are in the time of the timeline, so that durations are
    /// right at any speed of playing.
    pub fn timeline(&self, start: Timestamp, ids: &mut Ids) -> Vec<TimelineStep> {
        self.timeline_at(1, start, ids)
    }

    /// The timeline in a cluster that is `pace` times as fast: deadlines and delays take that much less time, also in the
    /// timestamps of the objects.
    pub(crate) fn timeline_at(&self, pace: u32, start: Timestamp, ids: &mut Ids) -> Vec<TimelineStep> {
        ScenarioRun::new(self, start, pace, ids).finish()
    }
}

/// The scenarios of the demo; the first one is the article's Job.
///
/// # Errors
/// If one of them is invalid, which a test rules out.
pub fn demo_scenarios() -> Result<Vec<Scenario>, ScenarioError> {
    [
        include_str!("../../scenarios/deadline-exceeded.yaml"),
        include_str!("../../scenarios/image-pull.yaml"),
        include_str!("../../scenarios/retries-exhausted.yaml"),
        include_str!("../../scenarios/out-of-memory.yaml"),
        include_str!("../../scenarios/success-after-retry.yaml"),
        include_str!("../../scenarios/cron-failing.yaml"),
        include_str!("../../scenarios/ttl-zero.yaml"),
        include_str!("../../scenarios/unschedulable.yaml"),
        include_str!("../../scenarios/crash-loop.yaml"),
        include_str!("../../scenarios/missing-configmap.yaml"),
        include_str!("../../scenarios/evicted.yaml"),
    ]
    .into_iter()
    .map(Scenario::parse)
    .collect()
}
