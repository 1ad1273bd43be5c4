//! Events to metric points, one window at a time. Pure.

use std::collections::BTreeMap;

use job_event::attributes as attr;
use job_event::finished::Finished;
use job_event::notice::MissReason;
use job_event::otlp::text;
use job_event::outcome::Outcome;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::event::CountedEvent;
use crate::histogram::Histogram;
use crate::window::Window;

/// The cause or category of an event that no processor has judged.
const NOT_JUDGED: (&str, &str) = ("Unknown", "unknown");

/// The counts of one window.
#[derive(Debug)]
pub struct Aggregate {
    max_buckets: usize,
    /// By the encoded resource.
    owners: BTreeMap<Vec<u8>, MetricOwner>,
}

#[derive(Debug)]
struct MetricOwner {
    resource: Resource,
    schema_url: String,
    /// By reason, cause and category.
    failures: BTreeMap<(String, String, String), u64>,
    completions: u64,
    /// By cause.
    attempt_failures: BTreeMap<String, u64>,
    /// By outcome and, for failures, reason.
    durations: BTreeMap<(&'static str, Option<String>), Histogram>,
    missed_runs: BTreeMap<MissReason, u64>,
}

impl Aggregate {
    /// An empty window whose histograms have at most that many buckets.
    pub fn new(max_buckets: usize) -> Self {
        Aggregate {
            max_buckets,
            owners: BTreeMap::new(),
        }
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Counts an event.
    pub fn add(&mut self, resource: Option<&Resource>, schema_url: &str, event: &CountedEvent) {
        let max_buckets = self.max_buckets;
        let owner = self.owner(resource, schema_url);
        match event {
            CountedEvent::Finished(event) => owner.add_finished(event, max_buckets),
            CountedEvent::Missed(event) => {
                let total = owner.missed_runs.entry(event.reason).or_insert(0);
                *total = total.saturating_add(event.count);
            }
        }
    }

    fn owner(&mut self, resource: Option<&Resource>, schema_url: &str) -> &mut MetricOwner {
        let resource = owner(resource);
        self.owners
            .entry(resource.encode_to_vec())
            .or_insert_with(|| MetricOwner {
                resource,
                schema_url: schema_url.into(),
                failures: BTreeMap::new(),
                completions: 0,
                attempt_failures: BTreeMap::new(),
                durations: BTreeMap::new(),
                missed_runs: BTreeMap::new(),
            })
    }

    /// The points of the window, one `ResourceMetrics` for each owner; the aggregate is empty afterwards.
    pub fn take(&mut self, window: Window) -> Vec<ResourceMetrics> {
        std::mem::take(&mut self.owners)
            .into_values()
            .map(|owner| owner.into_metrics(window))
            .collect()
    }
}

/// The resource that a Job's metrics belong to: that of its event, but a CronJob's runs are one series, so without the
/// run's own name. Attributes in the order of their names, so that equal resources are one.
fn owner(resource: Option<&Resource>) -> Resource {
    let mut resource = resource.cloned().unwrap_or_default();
    let of_cronjob = resource.attributes.iter().any(|kv| kv.key == attr::CRONJOB_NAME);
    if of_cronjob {
        resource
            .attributes
            .retain(|kv| kv.key != attr::JOB_NAME && kv.key != attr::JOB_UID);
    }
    resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    resource
}

impl MetricOwner {
    fn add_finished(&mut self, event: &Finished, max_buckets: usize) {
        let reason = match event.outcome {
            Outcome::Failed => Some(event.reason.clone().unwrap_or_default()),
            _ => None,
        };
        match &reason {
            Some(reason) => {
                let cause = event.cause.clone().unwrap_or_else(|| NOT_JUDGED.0.into());
                let category = event.category.clone().unwrap_or_else(|| NOT_JUDGED.1.into());
                *self.failures.entry((reason.clone(), cause, category)).or_insert(0) += 1;
            }
            None => self.completions += 1,
        }
        for (cause, count) in &event.attempt_failures {
            let total = self.attempt_failures.entry(cause.clone()).or_insert(0);
            *total = total.saturating_add(*count);
        }
        if let Some(seconds) = event.duration_s {
            self.durations
                .entry((event.outcome.as_str(), reason))
                .or_insert_with(|| Histogram::new(max_buckets))
                .record(seconds);
        }
    }

    fn into_metrics(self, window: Window) -> ResourceMetrics {
        let point = |attributes, count: u64| NumberDataPoint {
            attributes,
            start_time_unix_nano: window.start,
            time_unix_nano: window.end,
            value: Some(Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
            ..Default::default()
        };
        let failures = self.failures.into_iter().map(|((reason, cause, category), count)| {
            let attributes = vec![
                text(attr::POINT_REASON, &reason),
                text(attr::POINT_CAUSE, &cause),
                text(attr::POINT_CATEGORY, &category),
            ];
            point(attributes, count)
        });
        let completions = (self.completions > 0).then(|| point(vec![], self.completions));
        let attempts = self.attempt_failures.into_iter();
        let attempts = attempts.map(|(cause, count)| point(vec![text(attr::POINT_CAUSE, &cause)], count));
        let missed = self.missed_runs.into_iter();
        let missed = missed.map(|(reason, count)| point(vec![text(attr::POINT_REASON, reason.as_str())], count));
        let metrics = [
            sum(attr::METRIC_FAILURES, "Jobs that failed.", "{job}", failures),
            sum(
                attr::METRIC_COMPLETIONS,
                "Jobs that completed.",
                "{job}",
                completions.into_iter(),
            ),
            sum(
                attr::METRIC_ATTEMPT_FAILURES,
                "Failed attempts of Jobs, including Jobs that later completed.",
                "{attempt}",
                attempts,
            ),
            durations(self.durations, window),
            sum(
                attr::METRIC_MISSED_RUNS,
                "Runs of CronJobs that did not start.",
                "{run}",
                missed,
            ),
        ];
        ResourceMetrics {
            resource: Some(self.resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: attr::SCOPE_NAME.into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    ..Default::default()
                }),
                metrics: metrics.into_iter().flatten().collect(),
                ..Default::default()
            }],
            schema_url: self.schema_url,
        }
    }
}

fn durations(durations: BTreeMap<(&'static str, Option<String>), Histogram>, window: Window) -> Option<Metric> {
    let points = durations.into_iter().map(|((outcome, reason), histogram)| {
        let mut attributes: Vec<KeyValue> = vec![text(attr::POINT_OUTCOME, outcome)];
        attributes.extend(reason.map(|reason| text(attr::POINT_REASON, &reason)));
        histogram.into_point(attributes, window.start, window.end)
    });
    let data_points: Vec<_> = points.collect();
    (!data_points.is_empty()).then(|| Metric {
        name: attr::METRIC_DURATION.into(),
        description: "Time from a Job's start to its verdict.".into(),
        unit: "s".into(),
        data: Some(Data::ExponentialHistogram(ExponentialHistogram {
            data_points,
            aggregation_temporality: AggregationTemporality::Delta as i32,
        })),
        ..Default::default()
    })
}

/// A delta sum; `None` without points.
fn sum(
    name: &str,
    description: &str,
    unit: &str,
    data_points: impl Iterator<Item = NumberDataPoint>,
) -> Option<Metric> {
    let data_points: Vec<_> = data_points.collect();
    (!data_points.is_empty()).then(|| Metric {
        name: name.into(),
        description: description.into(),
        unit: unit.into(),
        data: Some(Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Delta as i32,
            is_monotonic: true,
        })),
        ..Default::default()
    })
}
