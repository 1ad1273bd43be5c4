//! Metrics under the names of kube-state-metrics, written exactly as they come. Pure; the time is passed in.
//!
//! Each object (a Job, a CronJob) comes as one resource with all of its points, and is replaced as a whole. It is gone when
//! a point without a value comes for it, or when nothing came for too long. What is kept of it is text.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use job_event::attributes::KUBE_STATE_SCOPE;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, Metric, NumberDataPoint, ResourceMetrics};
use prost::Message;

use prometheus_text::{Format, label, write_head, write_labels};

/// The objects that exist.
#[derive(Debug, Default)]
pub struct KubeState {
    /// Names and help texts, in the order in which they first came.
    families: Vec<(String, String)>,
    objects: HashMap<Box<[u8]>, Object>,
}

#[derive(Debug)]
struct Object {
    updated: Instant,
    /// What stands behind the families' names: labels and value, a line each.
    text: Box<str>,
    /// Which family each line is of, and where it ends.
    lines: Box<[(u16, u32)]>,
}

impl KubeState {
    /// Whether metrics are of this kind.
    pub fn is_of(metrics: &ResourceMetrics) -> bool {
        let mut scopes = metrics.scope_metrics.iter().filter_map(|scope| scope.scope.as_ref());
        scopes.any(|scope| scope.name == KUBE_STATE_SCOPE)
    }

    /// Takes in an object.
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
                    self.objects.remove(key.as_slice());
                    return;
                }
                line(&mut text, point);
                let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
                lines.push((self.family(metric), end));
            }
        }
        let object = Object {
            updated: now,
            text: text.into(),
            lines: lines.into(),
        };
        self.objects.insert(key.into(), object);
    }

    /// Forgets the objects of which nothing came for that long.
    pub fn expire(&mut self, expiration: Duration, now: Instant) {
        self.objects.retain(|_, object| now - object.updated < expiration);
    }

    /// Writes all families; each as a whole, as the formats want it.
    pub fn write(&self, out: &mut String, format: Format) {
        let mut by_family: Vec<Vec<&str>> = vec![Vec::new(); self.families.len()];
        for object in self.objects.values() {
            let mut from = 0;
            for (family, end) in &object.lines {
                let end = *end as usize;
                if let (Some(lines), Some(line)) = (by_family.get_mut(usize::from(*family)), object.text.get(from..end))
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

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// How many bytes of memory an object takes, besides the table's own.
    pub fn bytes(&self) -> usize {
        let objects = self.objects.iter().map(|(key, object)| {
            key.len() + object.text.len() + size_of_val(&*object.lines) + size_of::<(Box<[u8]>, Object)>()
        });
        objects.sum()
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
