//! The points of one owner and window. Pure.

use job_event::attributes as attr;
use job_event::otlp::text;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::aggregate::Counts;
use crate::window::Window;

/// The points of each metric of one owner in one window.
pub(crate) struct OwnerPoints {
    window: Window,
    failures: Vec<NumberDataPoint>,
    completions: Vec<NumberDataPoint>,
    attempt_failures: Vec<NumberDataPoint>,
    durations: Vec<ExponentialHistogramDataPoint>,
    missed_runs: Vec<NumberDataPoint>,
}

impl OwnerPoints {
    pub(crate) fn new(window: Window) -> Self {
        OwnerPoints {
            window,
            failures: Vec::new(),
            completions: Vec::new(),
            attempt_failures: Vec::new(),
            durations: Vec::new(),
            missed_runs: Vec::new(),
        }
    }

    /// Adds the points of counts whose dimensions have these values.
    pub(crate) fn add(&mut self, counts: Counts, dimensions: &[KeyValue]) {
        let window = self.window;
        let with_dimensions = |mut attributes: Vec<KeyValue>| {
            attributes.extend_from_slice(dimensions);
            attributes
        };
        let point = |attributes: Vec<KeyValue>, count: u64| NumberDataPoint {
            attributes: with_dimensions(attributes),
            start_time_unix_nano: window.start,
            time_unix_nano: window.end,
            value: Some(Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
            ..Default::default()
        };
        let failures = counts.failures.into_iter().map(|([reason, cause, category], count)| {
            let attributes = [
                (attr::POINT_REASON, reason),
                (attr::POINT_CAUSE, cause),
                (attr::POINT_CATEGORY, category),
            ];
            point(present(attributes), count)
        });
        self.failures.extend(failures);
        if counts.completions > 0 {
            self.completions.push(point(vec![], counts.completions));
        }
        let attempts = counts.attempt_failures.into_iter();
        self.attempt_failures
            .extend(attempts.map(|(cause, count)| point(present([(attr::POINT_CAUSE, cause)]), count)));
        let missed = counts.missed_runs.into_iter().map(|(reason, count)| {
            let reason = reason.map(|reason| reason.as_str());
            point(present([(attr::POINT_REASON, reason)]), count)
        });
        self.missed_runs.extend(missed);
        let durations = counts.durations.into_iter().map(|((outcome, reason), histogram)| {
            let mut attributes = present([(attr::POINT_OUTCOME, outcome)]);
            attributes.extend(present([(attr::POINT_REASON, reason)]));
            histogram.into_point(with_dimensions(attributes), window.start, window.end)
        });
        self.durations.extend(durations);
    }

    /// The metrics that have points.
    pub(crate) fn into_metrics(self, resource: Resource, schema_url: String) -> ResourceMetrics {
        let metrics = [
            sum(attr::METRIC_FAILURES, "Jobs that failed.", "{job}", self.failures),
            sum(
                attr::METRIC_COMPLETIONS,
                "Jobs that completed.",
                "{job}",
                self.completions,
            ),
            sum(
                attr::METRIC_ATTEMPT_FAILURES,
                "Failed attempts of Jobs, including Jobs that later completed.",
                "{attempt}",
                self.attempt_failures,
            ),
            durations(self.durations),
            sum(
                attr::METRIC_MISSED_RUNS,
                "Runs of CronJobs that did not start.",
                "{run}",
                self.missed_runs,
            ),
        ];
        ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: attr::SCOPE_NAME.into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    ..Default::default()
                }),
                metrics: metrics.into_iter().flatten().collect(),
                ..Default::default()
            }],
            schema_url,
        }
    }
}

fn present<const N: usize, T: AsRef<str>>(attributes: [(&str, Option<T>); N]) -> Vec<KeyValue> {
    let attributes = attributes.into_iter();
    attributes
        .filter_map(|(key, value)| Some(text(key, value?.as_ref())))
        .collect()
}

fn durations(data_points: Vec<ExponentialHistogramDataPoint>) -> Option<Metric> {
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
fn sum(name: &str, description: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Option<Metric> {
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
