//! The limit on the series that a component emits: its own metrics and its warning.

use std::collections::HashMap;

use collector_data::cardinality::{CardinalityLimit, Overflow, OverflowRules};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Meter};
use opentelemetry_proto::tonic::common::v1::KeyValue as Attribute;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use tracing::warn;

/// How often a metric that exceeds its limit is logged, seconds.
const WARN_EVERY: i64 = 24 * 3600;

/// The part of a limit that differs between components.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// The most series of each metric, the overflow included; 0: no limit.
    pub limit: usize,
    /// The form of the overflow.
    pub rules: OverflowRules,
    /// Advice about an overflow for the warning, one clause.
    pub help: &'static str,
}

/// The component's own metrics about its series.
#[derive(Clone, Debug)]
pub struct LimitTelemetry {
    id: KeyValue,
    series: Gauge<u64>,
    overflowed: Counter<u64>,
}

impl LimitTelemetry {
    /// Metrics with these names: a gauge of series, and a counter of points in overflows. `id` identifies the component.
    pub fn new(meter: &Meter, id: KeyValue, series: &'static str, overflowed: &'static str) -> Self {
        LimitTelemetry {
            id,
            series: meter
                .u64_gauge(series)
                .with_unit("{series}")
                .with_description("Series of a metric in the last two hours or longer, by metric")
                .build(),
            overflowed: meter
                .u64_counter(overflowed)
                .with_unit("{datapoint}")
                .with_description("Points beyond the cardinality limit, in the overflow of their metric, by metric")
                .build(),
        }
    }
}

/// Limits the series of the metrics that a component emits.
#[derive(Debug)]
pub struct LimitedMetrics {
    limit: CardinalityLimit,
    overflow: Overflow,
    telemetry: LimitTelemetry,
    /// The path of the setting.
    setting: String,
    help: &'static str,
    /// The time of the last warning about each metric.
    warned: HashMap<String, i64>,
}

impl LimitedMetrics {
    /// A limit whose setting is at the path `setting`.
    pub fn new(settings: LimitSettings, telemetry: LimitTelemetry, setting: String) -> Self {
        LimitedMetrics {
            limit: CardinalityLimit::new(settings.limit, settings.rules),
            overflow: Overflow::default(),
            telemetry,
            setting,
            help: settings.help,
            warned: HashMap::new(),
        }
    }

    /// The most series of each metric.
    pub fn limit(&self) -> usize {
        self.limit.limit()
    }

    /// Starts a collection; forgets the overflow of one that was not finished.
    pub fn start(&mut self) {
        self.overflow = Overflow::default();
    }

    /// The part of the data that is within the limit. `now` in seconds since 1970.
    pub fn apply(&mut self, data: ResourceMetrics, now: i64) -> Option<ResourceMetrics> {
        self.limit.apply(data, now, &mut self.overflow)
    }

    /// Ends a collection: the rest of the data, added up.
    pub fn finish(&mut self, now: i64) -> Option<ResourceMetrics> {
        if self.limit.limit() == 0 {
            return None;
        }
        let overflow = std::mem::take(&mut self.overflow);
        for (name, series) in self.limit.series() {
            let metric = KeyValue::new("metric", name.to_owned());
            let has_overflow = overflow.metrics.contains_key(name);
            let attributes = [self.telemetry.id.clone(), metric];
            self.telemetry
                .series
                .record((series + usize::from(has_overflow)) as u64, &attributes);
        }
        for (name, joined) in &overflow.metrics {
            let attributes = [self.telemetry.id.clone(), KeyValue::new("metric", name.clone())];
            self.telemetry.overflowed.add(joined.points as u64, &attributes);
            let warned = self.warned.get(name);
            if warned.is_none_or(|last| !(*last..*last + WARN_EVERY).contains(&now)) {
                self.warned.insert(name.clone(), now);
                warn!(
                    metric = name,
                    limit = self.limit.limit(),
                    setting = self.setting,
                    example = described(&joined.example),
                    help = self.help,
                    "metric has more series than its limit; the others are added up in one with otel.metric.overflow",
                );
            }
        }
        self.limit.overflow(overflow)
    }
}

/// `k8s.namespace.name=shop, k8s.job.name=report`.
fn described(attributes: &[Attribute]) -> String {
    let one = |attribute: &Attribute| match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(format!("{}={text}", attribute.key)),
        _ => None,
    };
    attributes.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}
