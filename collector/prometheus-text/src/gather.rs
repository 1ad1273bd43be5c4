//! OTLP metrics to families.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, NumberDataPoint, ResourceMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::name::{self, Suffix};
use super::{Classic, Family, Kind, Labels, Options, Series, Value};

const TARGET_INFO: &str = "target_info";

/// Families, in the order of their names, and what could not be written.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What is to be written.
    pub families: Vec<Family>,
    /// What is left out, each with why.
    pub problems: Vec<String>,
}

/// The families for metrics whose sums and histograms are cumulative.
///
/// Points that differ only in what does not become a label are one series: counts are added up, of other values the
/// latest counts.
pub fn gather(metrics: &[ResourceMetrics], options: &Options) -> Gathered {
    let mut gatherer = Gatherer {
        options,
        drafts: BTreeMap::new(),
        taken: HashMap::new(),
        problems: Vec::new(),
    };
    // First, so that its name is its own.
    for resource_metrics in metrics {
        let has_points = resource_metrics
            .scope_metrics
            .iter()
            .any(|scope| !scope.metrics.is_empty());
        if let Some(resource) = resource_metrics
            .resource
            .as_ref()
            .filter(|_| options.target_info && has_points)
        {
            gatherer.target_info(resource);
        }
    }
    for resource_metrics in metrics {
        let of_resource = gatherer.resource_labels(resource_metrics.resource.as_ref());
        for scope_metrics in &resource_metrics.scope_metrics {
            let mut labels = of_resource.clone();
            if options.scope_labels {
                scope_labels(&mut labels, scope_metrics.scope.as_ref(), &scope_metrics.schema_url);
            }
            for metric in &scope_metrics.metrics {
                gatherer.metric(metric, &labels);
            }
        }
    }
    gatherer.finish()
}

struct Draft {
    family: Family,
    /// As OTLP has it.
    unit: String,
    series: BTreeMap<Labels, Series>,
}

struct Gatherer<'a> {
    options: &'a Options,
    drafts: BTreeMap<String, Draft>,
    /// The names of samples, and the family that has them.
    taken: HashMap<String, String>,
    problems: Vec<String>,
}

/// One point of any kind.
struct Point<'a> {
    attributes: &'a [KeyValue],
    time: u64,
    start: u64,
    value: Value,
}

impl Gatherer<'_> {
    fn target_info(&mut self, resource: &Resource) {
        let mut labels = Merged::default();
        let (mut job, mut namespace, mut instance) = (None, None, None);
        for attribute in &resource.attributes {
            let value = text(attribute);
            match &*attribute.key {
                "service.name" if self.options.job_labels => job = Some(value),
                "service.namespace" if self.options.job_labels => namespace = Some(value),
                "service.instance.id" if self.options.job_labels => instance = Some(value),
                key => labels.add(key, value),
            }
        }
        labels.add_job(job, namespace, instance);
        let mut labels = labels.into_labels();
        if labels.is_empty() {
            return;
        }
        self.add_const(&mut labels);
        let series = Series {
            labels,
            value: Value::Integer(1),
            time: 0,
            created: 0,
        };
        self.series((TARGET_INFO, None), Kind::Info, "", "Target metadata", series, false);
    }

    fn resource_labels(&self, resource: Option<&Resource>) -> Merged {
        let mut labels = Merged::default();
        let (mut job, mut namespace, mut instance) = (None, None, None);
        for attribute in resource.into_iter().flat_map(|resource| &resource.attributes) {
            let value = || Some(text(attribute));
            match &*attribute.key {
                "service.name" => job = value(),
                "service.namespace" => namespace = value(),
                "service.instance.id" => instance = value(),
                _ => {}
            }
            if self.options.resource_labels {
                labels.add(&attribute.key, text(attribute));
            }
        }
        if self.options.job_labels {
            labels.add_job(job, namespace, instance);
        }
        labels
    }

    fn metric(&mut self, metric: &Metric, labels: &Merged) {
        let (kind, suffix, points): (_, _, Vec<Point<'_>>) = match &metric.data {
            None => return,
            Some(Data::Gauge(gauge)) => {
                let suffix = if metric.unit == "1" {
                    Suffix::Ratio
                } else {
                    Suffix::None
                };
                (
                    Kind::Gauge,
                    suffix,
                    gauge.data_points.iter().filter_map(of_number).collect(),
                )
            }
            Some(Data::Sum(sum)) if sum.is_monotonic => {
                let points = sum.data_points.iter().filter_map(of_number);
                (Kind::Counter, Suffix::Total, points.collect())
            }
            Some(Data::Sum(sum)) => {
                let points = sum.data_points.iter().filter_map(of_number);
                (Kind::Gauge, Suffix::None, points.collect())
            }
            Some(Data::Histogram(histogram)) => {
                let points = histogram.data_points.iter().filter(|point| is_recorded(point.flags));
                let points = points.map(|point| Point {
                    attributes: &point.attributes,
                    time: point.time_unix_nano,
                    start: point.start_time_unix_nano,
                    value: Value::Histogram(Classic::explicit(point)),
                });
                (Kind::Histogram, Suffix::None, points.collect())
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let points = histogram.data_points.iter().filter(|point| is_recorded(point.flags));
                let points = points.map(|point| Point {
                    attributes: &point.attributes,
                    time: point.time_unix_nano,
                    start: point.start_time_unix_nano,
                    value: Value::Histogram(Classic::exponential(point)),
                });
                (Kind::Histogram, Suffix::None, points.collect())
            }
            Some(Data::Summary(summary)) => {
                let points = summary.data_points.iter().filter(|point| is_recorded(point.flags));
                let points = points.map(|point| Point {
                    attributes: &point.attributes,
                    time: point.time_unix_nano,
                    start: point.start_time_unix_nano,
                    value: Value::Summary {
                        count: point.count,
                        sum: point.sum,
                        quantiles: point.quantile_values.iter().map(|q| (q.quantile, q.value)).collect(),
                    },
                });
                (Kind::Summary, Suffix::None, points.collect())
            }
        };
        let options = self.options;
        let name = name::metric(&options.namespace, &metric.name, &metric.unit, suffix, options.suffixes);
        // Sums add up to sums; of gauges, and of summaries, that cannot be said.
        let adds_up = matches!(&metric.data, Some(Data::Sum(_))) || kind == Kind::Histogram;
        for point in points {
            let mut merged = labels.clone();
            for attribute in point.attributes {
                merged.add(&attribute.key, text(attribute));
            }
            let mut labels = merged.into_labels();
            self.add_const(&mut labels);
            rename_reserved(&mut labels, kind);
            let series = Series {
                labels,
                value: point.value,
                time: point.time,
                created: point.start,
            };
            let named = (&*name.full, name.unit.as_deref());
            if !self.series(named, kind, &metric.unit, &metric.description, series, adds_up) {
                return;
            }
        }
    }

    /// Adds a series to its family; false if the family cannot have it.
    fn series(
        &mut self,
        (name, unit_word): (&str, Option<&str>),
        kind: Kind,
        unit: &str,
        help: &str,
        series: Series,
        adds_up: bool,
    ) -> bool {
        if !self.drafts.contains_key(name) && !self.take_names(name, kind) {
            return false;
        }
        let draft = self.drafts.entry(name.to_owned()).or_insert_with(|| Draft {
            family: Family {
                name: name.into(),
                kind,
                help: help.into(),
                unit: unit_word.map(Into::into),
                series: Vec::new(),
            },
            unit: unit.into(),
            series: BTreeMap::new(),
        });
        if draft.family.kind != kind || draft.unit != unit {
            let found = |kind: Kind, unit: &str| format!("{kind:?} of unit {unit:?}").to_lowercase();
            self.problems.push(format!(
                "{name} is a {} and a {}; the second is left out",
                found(draft.family.kind, &draft.unit),
                found(kind, unit)
            ));
            return false;
        }
        if draft.family.help.is_empty() {
            draft.family.help = help.into();
        }
        match draft.series.entry(series.labels.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(series);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                if !(adds_up && known.value.add(&series.value)) {
                    if series.time >= known.time {
                        *known = series;
                    }
                } else {
                    known.time = known.time.max(series.time);
                    known.created = known.created.min(series.created);
                }
            }
        }
        true
    }

    /// Takes the names of a family's samples, unless another family has one of them.
    fn take_names(&mut self, name: &str, kind: Kind) -> bool {
        let suffixes: &[&str] = match kind {
            Kind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
            Kind::Summary => &["", "_count", "_sum", "_created"],
            Kind::Counter | Kind::Gauge | Kind::Info => &[""],
        };
        let mut names: Vec<String> = suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect();
        if let (Kind::Counter, Some(base)) = (kind, name.strip_suffix("_total")) {
            names.extend([base.to_owned(), format!("{base}_created")]);
        }
        if let Some(other) = names.iter().find_map(|name| self.taken.get(name)) {
            self.problems
                .push(format!("{name} would be mixed up with {other}; {name} is left out"));
            return false;
        }
        self.taken
            .extend(names.into_iter().map(|taken| (taken, name.to_owned())));
        true
    }

    fn add_const(&self, labels: &mut Labels) {
        for (name, value) in &self.options.const_labels {
            // What a series says of itself is more precise.
            if let Err(at) = labels.binary_search_by(|(known, _)| known.cmp(name)) {
                labels.insert(at, (name.clone(), value.clone()));
            }
        }
    }

    fn finish(self) -> Gathered {
        let families = self.drafts.into_values().map(|draft| Family {
            series: draft.series.into_values().collect(),
            ..draft.family
        });
        let mut problems = self.problems;
        problems.sort();
        problems.dedup();
        Gathered {
            families: families.collect(),
            problems,
        }
    }
}

impl Value {
    fn add(&mut self, other: &Value) -> bool {
        match (&mut *self, other) {
            (Value::Histogram(histogram), Value::Histogram(other)) => histogram.add(other),
            (Value::Integer(a), Value::Integer(b)) => {
                *a = a.saturating_add(*b);
                true
            }
            (a, b) => {
                let (Some(x), Some(y)) = (a.as_f64(), b.as_f64()) else {
                    return false;
                };
                *a = Value::Float(x + y);
                true
            }
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Integer(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Histogram(_) | Value::Summary { .. } => None,
        }
    }
}

/// Labels by name. Attributes whose names become the same label are one: their values in the order of their own names,
/// with `;` between them, as the specification says.
#[derive(Clone, Default)]
struct Merged(BTreeMap<String, Vec<(String, String)>>);

impl Merged {
    fn add(&mut self, key: &str, value: String) {
        let values = self.0.entry(name::label(key)).or_default();
        // The same attribute of something narrower takes its place.
        values.retain(|(known, _)| known != key);
        values.push((key.to_owned(), value));
    }

    fn add_job(&mut self, job: Option<String>, namespace: Option<String>, instance: Option<String>) {
        let job = match (job, namespace) {
            (Some(job), Some(namespace)) if !namespace.is_empty() => Some(format!("{namespace}/{job}")),
            (job, _) => job,
        };
        for (label, value) in [("job", job), ("instance", instance)] {
            if let Some(value) = value {
                self.0.insert(label.into(), vec![(label.into(), value)]);
            }
        }
    }

    fn into_labels(self) -> Labels {
        let labels = self.0.into_iter().map(|(name, mut values)| {
            values.sort();
            let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
            (name, values.join(";"))
        });
        // A label without a value is no label.
        labels.filter(|(_, value)| !value.is_empty()).collect()
    }
}

fn scope_labels(labels: &mut Merged, scope: Option<&InstrumentationScope>, schema_url: &str) {
    if let Some(scope) = scope {
        for attribute in &scope.attributes {
            labels.add(&format!("otel_scope_{}", attribute.key), text(attribute));
        }
        labels.add("otel_scope_name", scope.name.clone());
        labels.add("otel_scope_version", scope.version.clone());
    }
    labels.add("otel_scope_schema_url", schema_url.to_owned());
}

/// `le` and `quantile` are Prometheus' own where buckets and quantiles are written.
fn rename_reserved(labels: &mut Labels, kind: Kind) {
    let reserved = match kind {
        Kind::Histogram => "le",
        Kind::Summary => "quantile",
        Kind::Counter | Kind::Gauge | Kind::Info => return,
    };
    if let Some(found) = labels.iter_mut().find(|(name, _)| name == reserved) {
        found.0 = format!("exported_{reserved}");
        labels.sort();
    }
}

fn of_number(point: &NumberDataPoint) -> Option<Point<'_>> {
    let value = match point.value.as_ref().filter(|_| is_recorded(point.flags))? {
        Number::AsInt(value) => Value::Integer(*value),
        Number::AsDouble(value) => Value::Float(*value),
    };
    Some(Point {
        attributes: &point.attributes,
        time: point.time_unix_nano,
        start: point.start_time_unix_nano,
        value,
    })
}

fn is_recorded(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 == 0
}

fn text(attribute: &KeyValue) -> String {
    attribute
        .value
        .as_ref()
        .and_then(|value| value.value.as_ref())
        .map(of_value)
        .unwrap_or_default()
}

fn of_value(value: &AnyValue) -> String {
    match value {
        AnyValue::StringValue(text) => text.clone(),
        AnyValue::BoolValue(value) => value.to_string(),
        AnyValue::IntValue(value) => value.to_string(),
        AnyValue::DoubleValue(value) => value.to_string(),
        AnyValue::ArrayValue(values) => {
            let values = values.values.iter().map(|value| value.value.as_ref().map(of_value));
            values.map(Option::unwrap_or_default).collect::<Vec<_>>().join(",")
        }
        AnyValue::KvlistValue(pairs) => {
            let pairs = pairs.values.iter().map(|pair| format!("{}={}", pair.key, text(pair)));
            pairs.collect::<Vec<_>>().join(",")
        }
        AnyValue::BytesValue(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        // Refers to a table that only profiles have.
        AnyValue::StringValueStrindex(index) => index.to_string(),
    }
}
