//! The latest gauges of owners. Pure.
//!
//! Only owners with a kept event have gauges here, so the events bound their number.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use job_event::attributes as attr;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, ResourceMetrics};

use crate::store::read::{owner_of_resource, text};
use crate::views::{Listed, OwnerKey};

/// The most causes of one owner.
const MAX_CAUSES: usize = 64;
/// Older points say nothing about now: a collector that lost its leadership, or a metrics pipeline that stopped.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(15);

/// Namespace, kind and name.
type Key = (Box<str>, Box<str>, Box<str>);

/// The gauges of all owners.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    owners: HashMap<Key, OwnerGauges>,
}

/// The gauges of one owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnerGauges {
    pub(crate) next_run: Option<Timestamp>,
    pub(crate) is_suspended: Option<bool>,
    pub(crate) last_success: Option<Timestamp>,
    pub(crate) consecutive_failures: Option<u64>,
    pub(crate) active_pods: Option<u64>,
    /// Stalled Jobs by cause, and the time of the point.
    stalled: HashMap<Box<str>, (u64, Timestamp)>,
    updated: Timestamp,
}

fn key(event: &Listed) -> Key {
    (
        event.namespace.clone(),
        event.owner.kind.clone(),
        event.owner.name.clone(),
    )
}

impl Gauges {
    /// Adds the points of metrics of these owners, and removes other owners.
    pub(crate) fn add(&mut self, metrics: &[ResourceMetrics], now: Timestamp, owners: &HashSet<OwnerKey<'_>>) {
        self.owners
            .retain(|(namespace, kind, name), _| owners.contains(&(&**namespace, &**kind, &**name)));
        for resource in metrics {
            let attributes = resource
                .resource
                .as_ref()
                .map(|resource| &*resource.attributes)
                .unwrap_or_default();
            let namespace = text(attributes, attr::NAMESPACE_NAME).unwrap_or_default();
            let Some((kind, name)) = owner_of_resource(attributes) else {
                continue;
            };
            if !owners.contains(&(namespace, kind, name)) {
                continue;
            }
            let owner = self
                .owners
                .entry((namespace.into(), kind.into(), name.into()))
                .or_default();
            owner.updated = now;
            for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                owner.add(metric, now);
            }
        }
    }

    /// The gauges of the owner of an event, unless they are old.
    pub(crate) fn of(&self, event: &Listed, now: Timestamp) -> Option<&OwnerGauges> {
        let gauges = self.owners.get(&key(event))?;
        (now.duration_since(gauges.updated) <= MAX_AGE).then_some(gauges)
    }

    /// The next run of the owner of an event.
    pub(crate) fn next_run(&self, event: &Listed, now: Timestamp) -> Option<Timestamp> {
        self.of(event, now)?.next_run
    }

    /// True if the owner of a stall has no stalled Job with that cause any more.
    pub(crate) fn has_no_stall(&self, stall: &Listed) -> bool {
        let gauge = self
            .owners
            .get(&key(stall))
            .and_then(|gauges| gauges.stalled.get(&stall.cause));
        gauge.is_some_and(|(jobs, time)| *jobs == 0 && *time > stall.time)
    }
}

impl OwnerGauges {
    fn add(&mut self, metric: &Metric, now: Timestamp) {
        let Some(Data::Gauge(gauge)) = &metric.data else { return };
        for point in &gauge.data_points {
            let Some(value) = number(point) else { continue };
            let count = value.max(0.0) as u64;
            match &*metric.name {
                attr::METRIC_NEXT_SCHEDULE => self.next_run = Timestamp::from_second(value as i64).ok(),
                attr::METRIC_SUSPENDED => self.is_suspended = Some(count > 0),
                attr::METRIC_CONSECUTIVE_FAILURES => self.consecutive_failures = Some(count),
                attr::METRIC_POD_ACTIVE => self.active_pods = Some(count),
                attr::METRIC_LAST_SUCCESS_AGE => {
                    let age = SignedDuration::try_from_secs_f64(value.max(0.0)).ok();
                    self.last_success = age.and_then(|age| time(point, now).checked_sub(age).ok());
                }
                attr::METRIC_STALLED => {
                    let cause = text(&point.attributes, attr::POINT_CAUSE).unwrap_or_default();
                    if self.stalled.len() < MAX_CAUSES || self.stalled.contains_key(cause) {
                        self.stalled.insert(cause.into(), (count, time(point, now)));
                    }
                }
                _ => {}
            }
        }
    }
}

fn number(point: &NumberDataPoint) -> Option<f64> {
    match point.value? {
        Value::AsInt(value) => Some(value as f64),
        Value::AsDouble(value) => value.is_finite().then_some(value),
    }
}

fn time(point: &NumberDataPoint, now: Timestamp) -> Timestamp {
    match i128::from(point.time_unix_nano) {
        0 => now,
        nanos => Timestamp::from_nanosecond(nanos).unwrap_or(now),
    }
}
