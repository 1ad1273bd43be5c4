//! The state of unfinished Jobs and of CronJobs as OTLP gauges, one resource for each owner.

use std::time::Duration;

use collector_data::{Ack, Batch, Payload};
use jiff::Timestamp;
use job_event::attributes as attr;
use job_event::evidence::Job;
use job_event::otlp::{nanos, owner_resource, text};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};

use crate::batch_sender::{IN_FLIGHT, Pacing};
use crate::dimensions;
use crate::session::JobSession;
use job_tracker::{CronJobState, OwnerState};

/// How many owners' gauges go into one batch.
const OWNERS: usize = 500;

impl JobSession {
    /// Sends the gauges of all owners, and records the sizes of the tracker.
    pub(crate) fn collect(&mut self) {
        self.telemetry.tracked(self.tracker.sizes());
        self.telemetry.pending(self.tracker.decided());
        self.telemetry.unacknowledged(self.events.unacknowledged());
        let states = self.tracker.states();
        if self.gauges.is_closed() {
            return;
        }
        let now = (self.clock)();
        let cluster = self.config.cluster_name.clone();
        let added = self.config.dimensions.clone();
        let telemetry = self.telemetry.clone();
        let cronjobs = self.tracker.cronjob_states(now);
        let pacing = pacing(states.len() + cronjobs.len(), self.config.collection_interval.get());
        let of_cronjobs = {
            let (cluster, added) = (cluster.clone(), added.clone());
            let states = cronjobs.into_iter();
            states.map(move |state| {
                let metrics = encode_cronjob(&state, cluster.as_deref(), now);
                dimensions::add(metrics, &state.extracted, &added)
            })
        };
        let of_jobs = states.map(move |owner| {
            let metrics = encode(&owner, cluster.as_deref(), now);
            dimensions::add(metrics, &owner.extracted, &added)
        });
        let mut metrics = of_jobs.chain(of_cronjobs);
        // Encoded points are large, so each batch is made when the ones before it are delivered. The next collection
        // replaces batches that are not sent by then.
        let chunks = std::iter::from_fn(move || {
            let metrics: Vec<_> = metrics.by_ref().take(OWNERS).collect();
            (!metrics.is_empty()).then_some(metrics)
        });
        let batches = self.gauge_limit.apply(chunks, now.as_second()).map(move |metrics| {
            let batch = Batch::new(Payload::Metrics(metrics), Ack::unwatched());
            telemetry.points(batch.payload.items());
            batch
        });
        self.gauges.send_paced(pacing, batches);
    }
}

/// Spreads the batches of very many owners over the first half of an interval, so that neither this process nor the backend
/// has to work off all of them at once. All are sent before the next collection, even with a slow exporter.
fn pacing(owners: usize, interval: Duration) -> Pacing {
    let part = |parts: usize| interval / u32::try_from(parts).unwrap_or(u32::MAX);
    let distance = match owners.div_ceil(OWNERS) {
        0..=IN_FLIGHT => Duration::ZERO,
        batches => part(2 * batches),
    };
    Pacing {
        distance,
        patience: part(owners / (OWNERS * IN_FLIGHT) + 2),
    }
}

/// The gauges of one owner at `now`.
pub fn encode(state: &OwnerState, cluster: Option<&str>, now: Timestamp) -> ResourceMetrics {
    let counts = state.counts;
    let metrics = [
        (attr::METRIC_POD_ACTIVE, counts.active),
        (attr::METRIC_POD_FAILED, counts.failed),
        (attr::METRIC_POD_SUCCESSFUL, counts.successful),
        (attr::METRIC_POD_DESIRED_SUCCESSFUL, counts.desired_successful),
        (attr::METRIC_POD_MAX_PARALLEL, counts.max_parallel),
    ];
    let pods = metrics.into_iter().map(|(name, value)| {
        let points = vec![point(vec![], Value::AsInt(value), now)];
        gauge(name, "{pod}", points)
    });
    let stalled = state.stalled.iter().map(|(cause, count)| {
        let attributes = vec![text(attr::POINT_CAUSE, cause.as_str())];
        point(attributes, Value::AsInt(*count), now)
    });
    let stalled: Vec<NumberDataPoint> = stalled.collect();
    let stalled = (!stalled.is_empty()).then(|| gauge(attr::METRIC_STALLED, "{job}", stalled));
    of_owner(&state.job(), cluster, pods.chain(stalled).collect())
}

/// The gauges of one CronJob at `now`.
pub fn encode_cronjob(state: &CronJobState, cluster: Option<&str>, now: Timestamp) -> ResourceMetrics {
    let age = |last: Timestamp| Value::AsDouble(now.duration_since(last).as_secs_f64().max(0.0));
    let next = state.next_schedule.map(|next| Value::AsInt(next.as_second()));
    let metrics = [
        (attr::METRIC_LAST_SUCCESS_AGE, "s", state.last_success.map(age)),
        (
            attr::METRIC_CONSECUTIVE_FAILURES,
            "{run}",
            Some(Value::AsInt(state.consecutive_failures.into())),
        ),
        (attr::METRIC_NEXT_SCHEDULE, "s", next),
        (
            attr::METRIC_SUSPENDED,
            "{cronjob}",
            Some(Value::AsInt(state.is_suspended.into())),
        ),
    ];
    let metrics = metrics
        .into_iter()
        .filter_map(|(name, unit, value)| Some(gauge(name, unit, vec![point(vec![], value?, now)])));
    of_owner(&state.cronjob, cluster, metrics.collect())
}

fn of_owner(job: &Job, cluster: Option<&str>, metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(owner_resource(job, cluster)),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: attr::SCOPE_NAME.into(),
                version: env!("CARGO_PKG_VERSION").into(),
                ..Default::default()
            }),
            metrics,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn gauge(name: &str, unit: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric {
        name: name.into(),
        unit: unit.into(),
        data: Some(Data::Gauge(Gauge { data_points })),
        ..Default::default()
    }
}

fn point(attributes: Vec<KeyValue>, value: Value, now: Timestamp) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        time_unix_nano: nanos(now),
        value: Some(value),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use job_event::evidence::CronJob;
    use job_tracker::Extracted;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn state() -> CronJobState {
        CronJobState {
            cronjob: Job {
                namespace: "shop".into(),
                cronjob: Some(Box::new(CronJob {
                    name: "nightly".into(),
                    ..Default::default()
                })),
                ..Default::default()
            },
            last_success: Some(at(-90)),
            consecutive_failures: 2,
            next_schedule: Some(at(60)),
            is_suspended: false,
            extracted: Extracted::default(),
        }
    }

    fn values(metrics: &ResourceMetrics) -> Vec<(&str, &str, Value)> {
        let metrics = metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics);
        let value = |metric: &Metric| match &metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points[0].value.unwrap(),
            other => panic!("a gauge was expected, found {other:?}"),
        };
        metrics
            .map(|metric| (&*metric.name, &*metric.unit, value(metric)))
            .collect()
    }

    #[test]
    fn a_cronjob_has_its_age_failures_and_next_slot() {
        let metrics = encode_cronjob(&state(), Some("prod"), at(0));
        let expected = [
            (attr::METRIC_LAST_SUCCESS_AGE, "s", Value::AsDouble(90.0)),
            (attr::METRIC_CONSECUTIVE_FAILURES, "{run}", Value::AsInt(2)),
            (attr::METRIC_NEXT_SCHEDULE, "s", Value::AsInt(at(60).as_second())),
            (attr::METRIC_SUSPENDED, "{cronjob}", Value::AsInt(0)),
        ];
        assert_eq!(values(&metrics), expected);
        let owner = metrics.resource.unwrap().attributes;
        let owner: Vec<_> = owner.iter().map(|attribute| &*attribute.key).collect();
        let expected = [
            attr::CLUSTER_NAME,
            attr::NAMESPACE_NAME,
            attr::CRONJOB_NAME,
            attr::SERVICE_NAME,
        ];
        assert_eq!(owner, expected);
    }

    #[test]
    fn an_unknown_value_has_no_point() {
        let state = CronJobState {
            last_success: None,
            consecutive_failures: 0,
            next_schedule: None,
            is_suspended: true,
            ..state()
        };
        let metrics = encode_cronjob(&state, None, at(0));
        let expected = [
            (attr::METRIC_CONSECUTIVE_FAILURES, "{run}", Value::AsInt(0)),
            (attr::METRIC_SUSPENDED, "{cronjob}", Value::AsInt(1)),
        ];
        assert_eq!(values(&metrics), expected);
    }

    #[test]
    fn batches_are_spread_over_half_an_interval() {
        let interval = Duration::from_secs(30);
        assert_eq!(
            pacing(2000, interval).distance,
            Duration::ZERO,
            "a few are sent at once"
        );
        for (owners, batches) in [(2001, 5), (100_000, 200)] {
            let Pacing { distance, patience } = pacing(owners, interval);
            assert_eq!(distance * batches, interval / 2, "{owners}");
            // With an exporter that never answers.
            let rounds = batches / IN_FLIGHT as u32;
            assert!(patience * rounds < interval, "{owners}");
        }
    }

    #[test]
    fn an_age_is_never_negative() {
        let state = CronJobState {
            last_success: Some(at(5)),
            ..state()
        };
        let metrics = encode_cronjob(&state, None, at(0));
        assert_eq!(values(&metrics)[0].2, Value::AsDouble(0.0));
    }
}
