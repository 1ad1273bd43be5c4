//! The latest point of each series, for scrapes. Pure; the time is passed in.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use collector_data::Payload;
use collector_data::points::PointRef;
use collector_data::temporality::Accumulator;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::sync::Arc;

/// All series, with their totals.
#[derive(Debug)]
pub struct Store {
    totals: Accumulator,
    /// `None` for never.
    expiration: Option<Duration>,
    start_at_zero: Duration,
    next_sweep: Option<Instant>,
    targets: BTreeMap<Vec<u8>, TargetInfo>,
}

#[derive(Debug)]
struct TargetInfo {
    resource: Option<Resource>,
    scopes: BTreeMap<Vec<u8>, Scope>,
}

#[derive(Debug)]
struct Scope {
    scope: Option<InstrumentationScope>,
    schema_url: String,
    /// By name, unit and kind.
    streams: BTreeMap<(String, String, u8), Stream>,
}

#[derive(Debug)]
struct Stream {
    description: String,
    points: HashMap<Vec<u8>, LatestPoint>,
}

#[derive(Debug)]
struct LatestPoint {
    point: Point,
    updated: Instant,
    zero_until: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Point {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
    Exponential(ExponentialHistogramDataPoint),
    Summary(SummaryDataPoint),
}

const GAUGE: u8 = 0;
const SUM: u8 = 1;
const MONOTONIC_SUM: u8 = 2;
const HISTOGRAM: u8 = 3;
const EXPONENTIAL: u8 = 4;
const SUMMARY: u8 = 5;

impl Store {
    /// A store without series. A series without a point for `expiration` is removed; zero for never. A series of deltas is
    /// zero for `start_at_zero`.
    pub fn new(expiration: Duration, start_at_zero: Duration) -> Self {
        Store {
            totals: Accumulator::new(expiration),
            expiration: (!expiration.is_zero()).then_some(expiration),
            start_at_zero,
            next_sweep: None,
            targets: BTreeMap::new(),
        }
    }

    /// Adds metrics.
    pub fn add(&mut self, payload: Arc<Payload>, now: Instant) {
        self.sweep(now);
        // Only a total of deltas from the first one on was zero before.
        let counted_here: Vec<bool> = match &*payload {
            Payload::Metrics(metrics) => all_metrics(metrics).map(is_delta).collect(),
            Payload::Logs(_) | Payload::Traces(_) => return,
        };
        let payload = Arc::unwrap_or_clone(self.totals.convert(payload, now));
        let Payload::Metrics(metrics) = payload else { return };
        let mut counted_here = counted_here.into_iter();
        for resource_metrics in metrics {
            let key = resource_metrics
                .resource
                .as_ref()
                .map_or_else(Vec::new, |resource| key_of(&resource.attributes));
            let target = self.targets.entry(key).or_insert_with(|| TargetInfo {
                resource: resource_metrics.resource,
                scopes: BTreeMap::new(),
            });
            for scope_metrics in resource_metrics.scope_metrics {
                let scope = target.scope(scope_metrics.scope, scope_metrics.schema_url);
                for metric in scope_metrics.metrics {
                    let starts = counted_here.next().unwrap_or(false) && !self.start_at_zero.is_zero();
                    scope.add(metric, now, starts.then(|| now + self.start_at_zero));
                }
            }
        }
    }

    /// The metrics of a scrape at `now`.
    pub fn metrics(&self, now: Instant) -> Vec<ResourceMetrics> {
        let targets = self.targets.values().map(|target| ResourceMetrics {
            resource: target.resource.clone(),
            scope_metrics: target
                .scopes
                .values()
                .map(|scope| ScopeMetrics {
                    scope: scope.scope.clone(),
                    schema_url: scope.schema_url.clone(),
                    metrics: scope
                        .streams
                        .iter()
                        .filter_map(|(key, stream)| stream.metric(key, |entry| self.is_live(entry, now), now))
                        .collect(),
                })
                .filter(|scope| !scope.metrics.is_empty())
                .collect(),
            schema_url: String::new(),
        });
        targets.collect()
    }

    /// The number of series.
    pub fn series(&self) -> usize {
        let scopes = self.targets.values().flat_map(|target| target.scopes.values());
        let streams = scopes.flat_map(|scope| scope.streams.values());
        streams.map(|stream| stream.points.len()).sum()
    }

    fn is_live(&self, entry: &LatestPoint, now: Instant) -> bool {
        self.expiration
            .is_none_or(|expiration| now - entry.updated < expiration)
    }

    fn sweep(&mut self, now: Instant) {
        let Some(expiration) = self.expiration else { return };
        if self.next_sweep.is_some_and(|next| now < next) {
            return;
        }
        self.next_sweep = Some(now + expiration / 8);
        self.targets.retain(|_, target| {
            target.scopes.retain(|_, scope| {
                scope.streams.retain(|_, stream| {
                    stream.points.retain(|_, entry| now - entry.updated < expiration);
                    !stream.points.is_empty()
                });
                !scope.streams.is_empty()
            });
            !target.scopes.is_empty()
        });
    }
}

impl TargetInfo {
    fn scope(&mut self, scope: Option<InstrumentationScope>, schema_url: String) -> &mut Scope {
        let mut key = scope.as_ref().map_or_else(Vec::new, |scope| {
            let mut key = InstrumentationScope {
                attributes: Vec::new(),
                ..scope.clone()
            }
            .encode_length_delimited_to_vec();
            key.extend(key_of(&scope.attributes));
            key
        });
        key.extend(schema_url.as_bytes());
        self.scopes.entry(key).or_insert_with(|| Scope {
            scope,
            schema_url,
            streams: BTreeMap::new(),
        })
    }
}

impl Scope {
    fn add(&mut self, metric: Metric, now: Instant, zero_until: Option<Instant>) {
        let (kind, points): (u8, Vec<Point>) = match metric.data {
            None => return,
            Some(Data::Gauge(data)) => (GAUGE, data.data_points.into_iter().map(Point::Number).collect()),
            Some(Data::Sum(data)) => {
                let kind = if data.is_monotonic { MONOTONIC_SUM } else { SUM };
                (kind, data.data_points.into_iter().map(Point::Number).collect())
            }
            Some(Data::Histogram(data)) => (HISTOGRAM, data.data_points.into_iter().map(Point::Histogram).collect()),
            Some(Data::ExponentialHistogram(data)) => (
                EXPONENTIAL,
                data.data_points.into_iter().map(Point::Exponential).collect(),
            ),
            Some(Data::Summary(data)) => (SUMMARY, data.data_points.into_iter().map(Point::Summary).collect()),
        };
        let stream = self
            .streams
            .entry((metric.name, metric.unit, kind))
            .or_insert_with(|| Stream {
                description: String::new(),
                points: HashMap::new(),
            });
        stream.description = metric.description;
        for point in points {
            let key = key_of(point.as_ref().attributes());
            if !point.as_ref().is_recorded() {
                stream.points.remove(&key);
                continue;
            }
            let new = !stream.points.contains_key(&key);
            let entry = stream.points.entry(key).or_insert_with(|| LatestPoint {
                point: point.clone(),
                updated: now,
                zero_until,
            });
            if !new {
                // Points may arrive out of order.
                let (later, known) = (point.as_ref(), entry.point.as_ref());
                if later.time() < known.time() && later.start() == known.start() {
                    continue;
                }
                entry.point = point;
                entry.updated = now;
            }
        }
    }
}

impl Stream {
    fn metric(
        &self,
        (name, unit, kind): &(String, String, u8),
        is_live: impl Fn(&LatestPoint) -> bool,
        now: Instant,
    ) -> Option<Metric> {
        let live: Vec<Point> = self
            .points
            .values()
            .filter(|entry| is_live(entry))
            .map(|entry| match entry.zero_until.is_some_and(|until| now < until) {
                true => entry.point.zero(),
                false => entry.point.clone(),
            })
            .collect();
        if live.is_empty() {
            return None;
        }
        let aggregation_temporality = AggregationTemporality::Cumulative as i32;
        let numbers = || live.iter().filter_map(Point::number).collect::<Vec<_>>();
        let data = match *kind {
            GAUGE => Data::Gauge(Gauge { data_points: numbers() }),
            SUM | MONOTONIC_SUM => Data::Sum(Sum {
                data_points: numbers(),
                aggregation_temporality,
                is_monotonic: *kind == MONOTONIC_SUM,
            }),
            HISTOGRAM => Data::Histogram(Histogram {
                data_points: live.into_iter().filter_map(Point::histogram).collect(),
                aggregation_temporality,
            }),
            EXPONENTIAL => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: live.into_iter().filter_map(Point::exponential).collect(),
                aggregation_temporality,
            }),
            _ => Data::Summary(Summary {
                data_points: live.into_iter().filter_map(Point::summary).collect(),
            }),
        };
        Some(Metric {
            name: name.clone(),
            unit: unit.clone(),
            description: self.description.clone(),
            data: Some(data),
            ..Default::default()
        })
    }
}

impl Point {
    fn as_ref(&self) -> PointRef<'_> {
        match self {
            Point::Number(point) => point.into(),
            Point::Histogram(point) => point.into(),
            Point::Exponential(point) => point.into(),
            Point::Summary(point) => point.into(),
        }
    }

    /// The same series with a count of zero.
    fn zero(&self) -> Point {
        let mut zero = self.clone();
        match &mut zero {
            Point::Number(point) => {
                point.value = point.value.map(|value| match value {
                    Value::AsInt(_) => Value::AsInt(0),
                    Value::AsDouble(_) => Value::AsDouble(0.0),
                });
            }
            Point::Histogram(point) => {
                point.bucket_counts.fill(0);
                (point.count, point.sum) = (0, point.sum.map(|_| 0.0));
            }
            Point::Exponential(point) => {
                // Without its buckets it would have other bounds than later.
                for buckets in [&mut point.positive, &mut point.negative].into_iter().flatten() {
                    buckets.bucket_counts.fill(0);
                }
                (point.count, point.zero_count, point.sum) = (0, 0, point.sum.map(|_| 0.0));
            }
            Point::Summary(_) => {}
        }
        zero
    }

    fn number(&self) -> Option<NumberDataPoint> {
        match self {
            Point::Number(point) => Some(point.clone()),
            _ => None,
        }
    }

    fn histogram(self) -> Option<HistogramDataPoint> {
        match self {
            Point::Histogram(point) => Some(point),
            _ => None,
        }
    }

    fn exponential(self) -> Option<ExponentialHistogramDataPoint> {
        match self {
            Point::Exponential(point) => Some(point),
            _ => None,
        }
    }

    fn summary(self) -> Option<SummaryDataPoint> {
        match self {
            Point::Summary(point) => Some(point),
            _ => None,
        }
    }
}

/// Equal for equal attributes in any order.
fn key_of(attributes: &[KeyValue]) -> Vec<u8> {
    let mut sorted: Vec<&KeyValue> = attributes.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    sorted
        .iter()
        .flat_map(|pair| pair.encode_length_delimited_to_vec())
        .collect()
}

fn all_metrics(metrics: &[ResourceMetrics]) -> impl Iterator<Item = &Metric> {
    let scopes = metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics)
}

fn is_delta(metric: &Metric) -> bool {
    const DELTA: i32 = AggregationTemporality::Delta as i32;
    match &metric.data {
        Some(Data::Sum(data)) => data.aggregation_temporality == DELTA && data.is_monotonic,
        Some(Data::Histogram(data)) => data.aggregation_temporality == DELTA,
        Some(Data::ExponentialHistogram(data)) => data.aggregation_temporality == DELTA,
        Some(Data::Gauge(_) | Data::Summary(_)) | None => false,
    }
}
