//! Metrics that already have Prometheus names and labels, written unchanged. Pure; the time is passed in.
//!
//! Such a metric carries `prometheus.type` in its metadata, as the Collector's receiver `prometheus` sets it (OpenTelemetry
//! specification, "Prometheus and OpenMetrics Compatibility"). A resource is what one scrape of a target is to that receiver:
//! all of its points come in one batch and replace those before. A point without a recorded value ends its series. Each resource
//! is held as rendered text.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, NumberDataPoint, ResourceMetrics};
use prost::Message;

use prometheus_text::{Format, label, write_head, write_labels};

/// Marks a metric whose name is a Prometheus name; the value is the type of the family.
const PROMETHEUS_TYPE: &str = "prometheus.type";

/// The latest points of every resource.
#[derive(Debug, Default)]
pub struct Verbatim {
    /// Names and help texts, in the order of their first points.
    families: Vec<(String, String)>,
    /// By encoded resource.
    resources: HashMap<Box<[u8]>, Points>,
}

#[derive(Debug)]
struct Points {
    updated: Instant,
    /// One line for each point: labels and value, without the name of the family.
    text: Box<str>,
    /// The family of each line, and the end of the line in the text.
    lines: Box<[(u16, u32)]>,
}

impl Verbatim {
    /// True if all metrics of a resource are gauges with Prometheus names. Other types are named and written as usual.
    pub fn accepts(resource: &ResourceMetrics) -> bool {
        let mut metrics = resource
            .scope_metrics
            .iter()
            .flat_map(|scope| &scope.metrics)
            .peekable();
        metrics.peek().is_some() && metrics.all(is_prometheus_gauge)
    }

    /// Replaces the points of a resource.
    pub fn add(&mut self, metrics: &ResourceMetrics, now: Instant) {
        let key = metrics
            .resource
            .as_ref()
            .map(Message::encode_to_vec)
            .unwrap_or_default();
        let (mut text, mut lines) = (String::new(), Vec::new());
        for metric in metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let Some(Data::Gauge(gauge)) = &metric.data else {
                continue;
            };
            for point in &gauge.data_points {
                if point.flags & DataPointFlags::NoRecordedValueMask as u32 != 0 {
                    continue;
                }
                line(&mut text, point);
                let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
                lines.push((self.family(metric), end));
            }
        }
        if lines.is_empty() {
            self.resources.remove(key.as_slice());
            return;
        }
        let points = Points {
            updated: now,
            text: text.into(),
            lines: lines.into(),
        };
        self.resources.insert(key.into(), points);
    }

    /// Removes the resources that were not updated for `expiration`.
    pub fn expire(&mut self, expiration: Duration, now: Instant) {
        self.resources.retain(|_, points| now - points.updated < expiration);
    }

    /// Appends all families, each as a whole, as both formats require.
    pub fn write(&self, out: &mut String, format: Format) {
        let mut by_family: Vec<Vec<&str>> = vec![Vec::new(); self.families.len()];
        for points in self.resources.values() {
            let mut from = 0;
            for (family, end) in &points.lines {
                let end = *end as usize;
                if let (Some(lines), Some(line)) = (by_family.get_mut(usize::from(*family)), points.text.get(from..end))
                {
                    lines.push(line);
                }
                from = end;
            }
        }
        for ((name, help), mut lines) in self.families.iter().zip(by_family) {
            if lines.is_empty() {
                continue;
            }
            lines.sort_unstable();
            write_head(out, name, "gauge", help, None, format);
            for line in lines {
                out.push_str(name);
                out.push_str(line);
            }
        }
    }

    /// The number of resources.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// True if no resource has points.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    fn family(&mut self, metric: &Metric) -> u16 {
        let at = self.families.iter().position(|(name, _)| *name == metric.name);
        let at = at.unwrap_or_else(|| {
            self.families.push((metric.name.clone(), metric.description.clone()));
            self.families.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }
}

fn is_prometheus_gauge(metric: &Metric) -> bool {
    matches!(metric.data, Some(Data::Gauge(_)))
        && metric
            .metadata
            .iter()
            .any(|pair| pair.key == PROMETHEUS_TYPE && value(pair) == "gauge")
}

fn line(text: &mut String, point: &NumberDataPoint) {
    let labels: Vec<(String, &str)> = point
        .attributes
        .iter()
        .map(|pair| (label(&pair.key), value(pair)))
        .collect();
    write_labels(text, &labels);
    let _ = match &point.value {
        Some(Value::AsInt(value)) => writeln!(text, " {value}"),
        Some(Value::AsDouble(value)) => writeln!(text, " {value}"),
        None => writeln!(text, " NaN"),
    };
}

fn value(pair: &KeyValue) -> &str {
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => text,
        _ => "",
    }
}
