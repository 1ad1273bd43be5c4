//! A limit on the series of each metric. The points of series beyond it are added up in one series, the overflow, so that
//! sums stay exact. Pure; the time is passed in.
//!
//! Source: OpenTelemetry metrics SDK, "Cardinality limits" and "Overflow attribute".

mod fold;
mod series;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::points;

pub use fold::Join;
pub use series::{EXPIRY, SeriesLimit};

/// The attribute of the overflow's points: the boolean `true`.
pub const OVERFLOW: &str = "otel.metric.overflow";
/// The limit unless configured otherwise, as in the OpenTelemetry SDKs.
pub const DEFAULT_LIMIT: usize = 2000;

/// The form of an overflow.
#[derive(Clone, Copy, Debug)]
pub struct OverflowRules {
    /// True for a resource attribute that identifies the owner of series. An overflow has none of them.
    pub is_owner: fn(&str) -> bool,
    /// How the points of the gauge with this name are joined.
    pub gauges: fn(&str) -> Join,
}

/// Limits the series of each metric. A series is a resource with the attributes of a point.
#[derive(Debug)]
pub struct CardinalityLimit {
    limit: usize,
    rules: OverflowRules,
    hasher: RandomState,
    metrics: BTreeMap<String, SeriesLimit>,
    /// The attributes that all resources so far share, without those of owners: they do not depend on the series that
    /// happen to be in an overflow, so an overflow stays one series.
    shared: Option<Vec<KeyValue>>,
}

/// The points beyond the limit, joined: one for each metric.
#[derive(Debug, Default)]
pub struct Overflow {
    /// By the name of the metric.
    pub metrics: BTreeMap<String, MetricOverflow>,
    /// The scope of the first one.
    scope: Option<ScopeMetrics>,
    schema_url: String,
}

/// The overflow of one metric.
#[derive(Debug)]
pub struct MetricOverflow {
    /// With one point.
    metric: Metric,
    /// The number of points in it.
    pub points: usize,
    /// The attributes of the resource with the most points in it.
    pub example: Vec<KeyValue>,
    most: usize,
}

impl CardinalityLimit {
    /// At most `limit` series for each metric, the overflow included; 0: no limit.
    pub fn new(limit: usize, rules: OverflowRules) -> Self {
        CardinalityLimit {
            limit,
            rules,
            hasher: RandomState::new(),
            metrics: BTreeMap::new(),
            shared: None,
        }
    }

    /// The limit; 0: none.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The number of known series of each metric, without the overflow.
    pub fn series(&self) -> impl Iterator<Item = (&str, usize)> {
        self.metrics.iter().map(|(name, series)| (&**name, series.len()))
    }

    /// Moves the points beyond the limit into the overflow; `None` if no other is left. `now` in seconds since 1970.
    pub fn apply(&mut self, mut data: ResourceMetrics, now: i64, overflow: &mut Overflow) -> Option<ResourceMetrics> {
        if self.limit == 0 {
            return Some(data);
        }
        let owner = data.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
        self.share(owner);
        let owner_hash = hash(&self.hasher, owner);
        let mut is_moved = false;
        for scope in &mut data.scope_metrics {
            for metric in &mut scope.metrics {
                let moved = self.move_points(metric, owner, owner_hash, now, overflow);
                if moved && overflow.scope.is_none() {
                    overflow.scope = Some(ScopeMetrics {
                        scope: scope.scope.clone(),
                        metrics: Vec::new(),
                        schema_url: scope.schema_url.clone(),
                    });
                    overflow.schema_url.clone_from(&data.schema_url);
                }
                is_moved |= moved;
            }
        }
        if is_moved {
            for scope in &mut data.scope_metrics {
                scope
                    .metrics
                    .retain(|metric| metric.data.as_ref().is_some_and(|data| points::count(data) > 0));
            }
            data.scope_metrics.retain(|scope| !scope.metrics.is_empty());
        }
        (!data.scope_metrics.is_empty()).then_some(data)
    }

    fn move_points(
        &mut self,
        metric: &mut Metric,
        owner: &[KeyValue],
        owner_hash: u64,
        now: i64,
        overflow: &mut Overflow,
    ) -> bool {
        let Some(data) = metric.data.as_mut() else { return false };
        if !self.metrics.contains_key(&metric.name) {
            self.metrics.insert(metric.name.clone(), SeriesLimit::new(self.limit));
        }
        let Some(series) = self.metrics.get_mut(&metric.name) else {
            return false;
        };
        let hasher = &self.hasher;
        let is_beyond = |attributes: &[KeyValue]| {
            let hash = hasher.hash_one((owner_hash, hash(hasher, attributes)));
            !series.admits(hash, now)
        };
        let beyond = fold::remove(data, is_beyond);
        let count = points::count(&beyond);
        if count == 0 {
            return false;
        }
        let joined = overflow
            .metrics
            .entry(metric.name.clone())
            .or_insert_with(|| MetricOverflow {
                metric: Metric {
                    name: metric.name.clone(),
                    description: metric.description.clone(),
                    unit: metric.unit.clone(),
                    data: Some(points::slice(data, 0..0)),
                    ..Default::default()
                },
                points: 0,
                example: Vec::new(),
                most: 0,
            });
        if count > joined.most {
            joined.most = count;
            joined.example = owner.to_vec();
        }
        joined.points += count;
        if let Some(total) = joined.metric.data.as_mut() {
            fold::join(total, beyond, (self.rules.gauges)(&metric.name));
        }
        true
    }

    /// The overflow as data; `None` without points.
    pub fn overflow(&self, overflow: Overflow) -> Option<ResourceMetrics> {
        let metrics = overflow.metrics.into_values().map(|joined| joined.metric).collect();
        overflow.scope.map(|scope| ResourceMetrics {
            resource: Some(Resource {
                attributes: self.shared.clone().unwrap_or_default(),
                ..Default::default()
            }),
            scope_metrics: vec![ScopeMetrics { metrics, ..scope }],
            schema_url: overflow.schema_url,
        })
    }

    fn share(&mut self, owner: &[KeyValue]) {
        match &mut self.shared {
            Some(shared) => shared.retain(|attribute| owner.contains(attribute)),
            None => {
                let is_shared = |attribute: &&KeyValue| !(self.rules.is_owner)(&attribute.key);
                self.shared = Some(owner.iter().filter(is_shared).cloned().collect());
            }
        }
    }
}

/// Equal for equal attributes in any order.
fn hash(hasher: &RandomState, attributes: &[KeyValue]) -> u64 {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => hasher.hash_one((&attribute.key, text)),
        _ => hasher.hash_one(attribute.encode_to_vec()),
    };
    attributes.iter().map(one).fold(0, u64::wrapping_add)
}
