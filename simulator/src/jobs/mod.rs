//! Plays Jobs from manifests: a small job controller, scheduler and kubelet that write the versions of objects and the
//! Events that the real ones write, in their order. Pure: a scenario and a start time give a timeline.

mod controller;
mod cron;
mod events;
mod kubelet;
mod lives;
pub(crate) mod objects;
mod pod;
mod pod_events;
mod run;
mod scenario;
mod waiting;

pub use lives::{Fate, Life, Lives};
pub use scenario::{Attempt, Scenario, ScenarioError};

use crate::ids::Ids;
use crate::timeline::Step;
use jiff::Timestamp;
use run::Run;

impl Scenario {
    /// What happens, from `start` on. Timestamps in the objects are in the time of the story, so that durations read
    /// true however fast it is played.
    pub fn timeline(&self, start: Timestamp, ids: &mut Ids) -> Vec<Step> {
        self.timeline_at(1, start, ids)
    }

    /// The same in a cluster that is `pace` times as fast: deadlines, delays and everything else take that much less
    /// time, and the timestamps in the objects say so.
    pub fn timeline_at(&self, pace: u32, start: Timestamp, ids: &mut Ids) -> Vec<Step> {
        Run::new(self, start, pace, ids).finish()
    }
}

/// The scenarios that come with the simulator; the first one is the article's Job.
///
/// # Errors
/// If one of them cannot be read, which a test rules out.
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
