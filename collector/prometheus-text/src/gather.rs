//! OTLP metrics to families.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, NumberDataPoint, ResourceMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::labels::{Merged, scope_labels, text};
use super::name::{self, Suffix};
use super::{Classic, Family, FamilyKind, Labels, Options, Series, Value};

const TARGET_INFO: &str = "target_info";

/// Families, in the order of their names, and problems.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The families to write.
    pub families: Vec<Family>,
    /// The metrics that are left out, each with the reason.
    pub problems: Vec<String>,
}

/// The families for metrics whose sums and histograms are cumulative.
///
/// Points with equal labels are one series: counts are added up, other values are replaced by the latest.
pub fn gather(metrics: &[ResourceMetrics], options: &Options) -> Gathered {
    let mut gatherer = Gatherer {
        options,
        drafts: BTreeMap::new(),
        taken: HashMap::new(),
        problems: Vec::new(),
    };
    // First, so that no metric takes its name.
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
    /// The unit in OTLP.
    unit: String,
    series: BTreeMap<Labels, Series>,
}

struct Gatherer<'a> {
    options: &'a Options,
    drafts: BTreeMap<String, Draft>,
    /// The names of samples, with their family.
    taken: HashMap<String, String>,
    problems: Vec<String>,
}

/// A point of any type.
struct FamilyPoint<'a> {
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
        self.series(
            (TARGET_INFO, None),
            FamilyKind::Info,
            "",
            "Target metadata",
            series,
            false,
        );
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
        let Some((kind, suffix, points)) = points(metric) else {
            return;
        };
        let options = self.options;
        let name = name::metric(&options.namespace, &metric.name, &metric.unit, suffix, options.suffixes);
        // Gauges and summaries cannot be added up.
        let adds_up = matches!(&metric.data, Some(Data::Sum(_))) || kind == FamilyKind::Histogram;
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

    /// Adds a series to its family; false if the family has another type or unit.
    fn series(
        &mut self,
        (name, unit_word): (&str, Option<&str>),
        kind: FamilyKind,
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
            let found = |kind: FamilyKind, unit: &str| format!("{kind:?} of unit {unit:?}").to_lowercase();
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

    /// Reserves the names of the samples of a family, unless another family has one of them.
    fn take_names(&mut self, name: &str, kind: FamilyKind) -> bool {
        let suffixes: &[&str] = match kind {
            FamilyKind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
            FamilyKind::Summary => &["", "_count", "_sum", "_created"],
            FamilyKind::Counter | FamilyKind::Gauge | FamilyKind::Info => &[""],
        };
        let mut names: Vec<String> = suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect();
        if let (FamilyKind::Counter, Some(base)) = (kind, name.strip_suffix("_total")) {
            names.extend([base.to_owned(), format!("{base}_created")]);
        }
        if let Some(other) = names.iter().find_map(|name| self.taken.get(name)) {
            self.problems
                .push(format!("{name} collides with {other}; {name} is dropped"));
            return false;
        }
        self.taken
            .extend(names.into_iter().map(|taken| (taken, name.to_owned())));
        true
    }

    fn add_const(&self, labels: &mut Labels) {
        for (name, value) in &self.options.const_labels {
            // A label of the series has precedence.
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

/// Prometheus reserves `le` for buckets and `quantile` for quantiles.
fn rename_reserved(labels: &mut Labels, kind: FamilyKind) {
    let reserved = match kind {
        FamilyKind::Histogram => "le",
        FamilyKind::Summary => "quantile",
        FamilyKind::Counter | FamilyKind::Gauge | FamilyKind::Info => return,
    };
    if let Some(found) = labels.iter_mut().find(|(name, _)| name == reserved) {
        found.0 = format!("exported_{reserved}");
        labels.sort();
    }
}

/// Type, suffix and points of a metric.
fn points(metric: &Metric) -> Option<(FamilyKind, Suffix, Vec<FamilyPoint<'_>>)> {
    let (kind, suffix, points): (_, _, Vec<FamilyPoint<'_>>) = match metric.data.as_ref()? {
        Data::Gauge(gauge) => {
            let suffix = if metric.unit == "1" {
                Suffix::Ratio
            } else {
                Suffix::None
            };
            (
                FamilyKind::Gauge,
                suffix,
                gauge.data_points.iter().filter_map(of_number).collect(),
            )
        }
        Data::Sum(sum) if sum.is_monotonic => {
            let points = sum.data_points.iter().filter_map(of_number);
            (FamilyKind::Counter, Suffix::Total, points.collect())
        }
        Data::Sum(sum) => {
            let points = sum.data_points.iter().filter_map(of_number);
            (FamilyKind::Gauge, Suffix::None, points.collect())
        }
        Data::Histogram(histogram) => {
            let points = histogram.data_points.iter().filter(|point| is_recorded(point.flags));
            let points = points.map(|point| FamilyPoint {
                attributes: &point.attributes,
                time: point.time_unix_nano,
                start: point.start_time_unix_nano,
                value: Value::Histogram(Classic::explicit(point)),
            });
            (FamilyKind::Histogram, Suffix::None, points.collect())
        }
        Data::ExponentialHistogram(histogram) => {
            let points = histogram.data_points.iter().filter(|point| is_recorded(point.flags));
            let points = points.map(|point| FamilyPoint {
                attributes: &point.attributes,
                time: point.time_unix_nano,
                start: point.start_time_unix_nano,
                value: Value::Histogram(Classic::exponential(point)),
            });
            (FamilyKind::Histogram, Suffix::None, points.collect())
        }
        Data::Summary(summary) => {
            let points = summary.data_points.iter().filter(|point| is_recorded(point.flags));
            let points = points.map(|point| FamilyPoint {
                attributes: &point.attributes,
                time: point.time_unix_nano,
                start: point.start_time_unix_nano,
                value: Value::Summary {
                    count: point.count,
                    sum: point.sum,
                    quantiles: point.quantile_values.iter().map(|q| (q.quantile, q.value)).collect(),
                },
            });
            (FamilyKind::Summary, Suffix::None, points.collect())
        }
    };
    Some((kind, suffix, points))
}

fn of_number(point: &NumberDataPoint) -> Option<FamilyPoint<'_>> {
    let value = match point.value.as_ref().filter(|_| is_recorded(point.flags))? {
        Number::AsInt(value) => Value::Integer(*value),
        Number::AsDouble(value) => Value::Float(*value),
    };
    Some(FamilyPoint {
        attributes: &point.attributes,
        time: point.time_unix_nano,
        start: point.start_time_unix_nano,
        value,
    })
}

fn is_recorded(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 == 0
}
