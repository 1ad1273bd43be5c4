//! The progress of the demo: the Jobs to be reported, and the reasons of a container-status metric.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use job_event::attributes as attr;
use simulator::otlp_intake::{ReceivedData, ReceivedRecord};
use simulator::{Resource, TimelineStep};
use tokio::time::Instant;

use super::container_metric::ContainerMetric;
use super::screen::{self, JobName, Style};
use crate::commands::{Failure, print};

pub(super) struct DemoProgress {
    /// The UIDs of the events to come: those of Jobs, and those of notices.
    missing: BTreeSet<String>,
    /// The names of the Jobs with an event of a failure.
    failed: BTreeSet<String>,
    /// The versions of Pods to come.
    pods: VecDeque<TimelineStep>,
    metric: ContainerMetric,
    start: Instant,
    speed: f64,
    /// `None` prints nothing.
    style: Option<Style>,
}

impl DemoProgress {
    /// The progress at the start of a timeline with the UIDs of the expected events.
    pub(super) fn new(
        expected: BTreeSet<String>,
        steps: &[TimelineStep],
        speed: f64,
        style: Option<Style>,
    ) -> DemoProgress {
        let pods = steps.iter().filter(|step| step.resource == Resource::Pods);
        DemoProgress {
            missing: expected,
            failed: BTreeSet::new(),
            pods: pods.cloned().collect(),
            metric: ContainerMetric::default(),
            start: Instant::now(),
            speed,
            style,
        }
    }

    /// The time of the cluster since the start.
    fn time(&self) -> Duration {
        self.start.elapsed().mul_f64(self.speed)
    }

    /// Prints the events of a request. Returns the UIDs of those that arrived for the first time.
    pub(super) fn receive(&mut self, payload: &ReceivedData) -> Result<Vec<String>, Failure> {
        let mut first = Vec::new();
        for record in payload.records() {
            let uid = uid(&record);
            if self.missing.remove(&uid) {
                first.push(uid);
            }
            if record.attributes.contains_key(attr::FAILURE_REASON) {
                self.failed.insert(JobName::of(&record).name);
            }
            if let Some(style) = self.style {
                print(&screen::arrival(style, self.time(), &record, &self.metric))?;
            }
        }
        Ok(first)
    }

    /// Reads the container-status metric, and prints new reasons of Jobs that have been reported.
    pub(super) fn scrape(&mut self) -> Result<(), Failure> {
        let now = self.time();
        while self.pods.front().is_some_and(|step| step.at <= now) {
            let Some(step) = self.pods.pop_front() else { break };
            let change = self.metric.observe(&step.object);
            if let (Some((job, reason)), Some(style)) = (change, self.style)
                && self.failed.contains(&job)
            {
                print(&screen::container_metric(style, step.at, &job, &reason))?;
            }
        }
        Ok(())
    }

    pub(super) fn metric(&self) -> &ContainerMetric {
        &self.metric
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// # Errors
    /// If an event is missing.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        match self.missing.len() {
            0 => Ok(()),
            missing => Err(Failure::Runtime(format!("{missing} expected events did not arrive"))),
        }
    }
}

/// `log.record.uid`: the UID of the Job that finished, or that of a notice.
pub(super) fn uid(record: &ReceivedRecord) -> String {
    let uid = record.attributes.get(attr::RECORD_UID);
    uid.and_then(|uid| uid.as_str()).unwrap_or_default().to_owned()
}
