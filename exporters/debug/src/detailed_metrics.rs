//! All fields of a metric, indented.

use collector_data::points::{PointRef, points};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets,
};

use crate::normal::number;
use crate::text::Text;
use crate::value::{MetricKind, double, hex, name, time};

pub(crate) fn metric(text: &mut Text, metric: &Metric) {
    text.line(format_args!("Name: {}", name(&metric.name)));
    if !metric.description.is_empty() {
        text.line(format_args!("Description: {:?}", metric.description));
    }
    if !metric.unit.is_empty() {
        text.line(format_args!("Unit: {:?}", metric.unit));
    }
    text.attributes("Metadata", &metric.metadata);
    let Some(data) = &metric.data else {
        return text.line(format_args!("Type: none"));
    };
    let kind = MetricKind::of(data);
    let mut words = vec![kind.name];
    words.extend(kind.temporality.as_deref());
    words.extend(kind.monotonic);
    text.line(format_args!("Type: {}", words.join(", ")));
    text.blocks("Point", points(data), |text, point| {
        head(text, point);
        match point {
            PointRef::Number(p) => number_point(text, p),
            PointRef::Histogram(p) => histogram_point(text, p),
            PointRef::Exponential(p) => exponential_point(text, p),
            PointRef::Summary(p) => summary_point(text, p),
        }
    });
}

fn head(text: &mut Text, point: PointRef<'_>) {
    text.attributes("Attributes", point.attributes());
    if point.start() != 0 {
        text.line(format_args!("Start: {}", time(point.start())));
    }
    text.line(format_args!("Time: {}", time(point.time())));
    text.count("Flags", point.flags());
}

fn number_point(text: &mut Text, p: &NumberDataPoint) {
    text.line(format_args!("Value: {}", number(p.value.as_ref())));
    exemplars(text, &p.exemplars);
}

fn counts(text: &mut Text, count: u64, of: [(&str, Option<f64>); 3]) {
    text.line(format_args!("Count: {count}"));
    for (label, value) in of {
        if let Some(value) = value {
            text.line(format_args!("{label}: {}", double(value)));
        }
    }
}

fn histogram_point(text: &mut Text, p: &HistogramDataPoint) {
    counts(text, p.count, [("Sum", p.sum), ("Min", p.min), ("Max", p.max)]);
    for (index, count) in p.bucket_counts.iter().enumerate() {
        let bound = |index: Option<usize>| index.and_then(|index| p.explicit_bounds.get(index));
        let low = bound(index.checked_sub(1)).copied().unwrap_or(f64::NEG_INFINITY);
        let high = bound(Some(index)).copied().unwrap_or(f64::INFINITY);
        text.line(format_args!("Bucket ({}, {}]: {count}", double(low), double(high)));
    }
    exemplars(text, &p.exemplars);
}

fn exponential_point(text: &mut Text, p: &ExponentialHistogramDataPoint) {
    counts(text, p.count, [("Sum", p.sum), ("Min", p.min), ("Max", p.max)]);
    text.line(format_args!("Scale: {}", p.scale));
    let bound = |index: i64| exponential_bound(p.scale, index);
    for (index, count) in filled(p.negative.as_ref()).rev() {
        let (low, high) = (double(-bound(index + 1)), double(-bound(index)));
        text.line(format_args!("Bucket [{low}, {high}): {count}"));
    }
    if p.zero_count > 0 {
        let threshold = double(p.zero_threshold);
        text.line(format_args!("Bucket zero (threshold {threshold}): {}", p.zero_count));
    }
    for (index, count) in filled(p.positive.as_ref()) {
        let (low, high) = (double(bound(index)), double(bound(index + 1)));
        text.line(format_args!("Bucket ({low}, {high}]: {count}"));
    }
    exemplars(text, &p.exemplars);
}

/// The lower bound of the bucket `index`: base^index with base = 2^(2^-scale) (OTLP, exponential histogram).
fn exponential_bound(scale: i32, index: i64) -> f64 {
    (index as f64 * f64::exp2(-f64::from(scale))).exp2()
}

/// The buckets that are not empty, with their index.
fn filled(buckets: Option<&Buckets>) -> impl DoubleEndedIterator<Item = (i64, u64)> {
    let (offset, counts) = match buckets {
        Some(buckets) => (buckets.offset, buckets.bucket_counts.as_slice()),
        None => (0, [].as_slice()),
    };
    let numbered = counts.iter().enumerate();
    numbered
        .filter(|(_, count)| **count > 0)
        .map(move |(index, count)| (i64::from(offset).saturating_add_unsigned(index as u64), *count))
}

fn summary_point(text: &mut Text, p: &SummaryDataPoint) {
    counts(text, p.count, [("Sum", Some(p.sum)), ("Min", None), ("Max", None)]);
    for q in &p.quantile_values {
        text.line(format_args!("Quantile {}: {}", double(q.quantile), double(q.value)));
    }
}

fn exemplars(text: &mut Text, exemplars: &[Exemplar]) {
    text.blocks("Exemplar", exemplars, |text, exemplar| {
        text.line(format_args!("Time: {}", time(exemplar.time_unix_nano)));
        let value = match exemplar.value {
            Some(exemplar::Value::AsInt(i)) => i.to_string(),
            Some(exemplar::Value::AsDouble(d)) => double(d),
            None => "no value".into(),
        };
        text.line(format_args!("Value: {value}"));
        text.text("Trace id", &hex(&exemplar.trace_id));
        text.text("Span id", &hex(&exemplar.span_id));
        text.attributes("Filtered attributes", &exemplar.filtered_attributes);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn shows_every_kind_of_metric() {
        assert_eq!(
            crate::detailed::render(&samples::metrics()),
            r#"ResourceMetrics #0
  Resource attributes:
    k8s.namespace.name: "shop"
    k8s.cronjob.name: "report"
  ScopeMetrics #0
    Scope: kube-job-collector 0.1.0
    Metric #0
      Name: k8s.job.failures
      Description: "Jobs that failed"
      Unit: "{job}"
      Type: sum, delta, monotonic
      Point #0
        Attributes:
          reason: "DeadlineExceeded"
        Start: 2023-11-14T22:13:19Z
        Time: 2023-11-14T22:13:20Z
        Value: 1
        Exemplar #0
          Time: -
          Value: 1.5
          Trace id: 01
    Metric #1
      Name: k8s.job.duration
      Unit: "s"
      Type: exponential histogram, delta
      Point #0
        Attributes:
          outcome: "Failed"
        Start: 2023-11-14T22:13:19Z
        Time: 2023-11-14T22:13:20Z
        Count: 4
        Sum: 17.5
        Min: 0.0
        Max: 10.5
        Scale: 0
        Bucket [-2.0, -1.0): 1
        Bucket zero (threshold 0.0): 1
        Bucket (2.0, 4.0]: 1
        Bucket (8.0, 16.0]: 1
    Metric #2
      Name: ""
      Type: gauge
      Point #0
        Time: 2023-11-14T22:13:20Z
        Flags: 1
        Value: NaN
    Metric #3
      Name: latency
      Unit: "ms"
      Type: histogram, cumulative
      Point #0
        Time: 2023-11-14T22:13:20Z
        Count: 3
        Sum: 6.0
        Bucket (-inf, 1.0]: 1
        Bucket (1.0, inf]: 2
    Metric #4
      Name: quantiles
      Type: summary
      Point #0
        Time: 2023-11-14T22:13:20Z
        Count: 2
        Sum: 3.0
        Quantile 0.5: 1.5
"#
        );
    }

    #[test]
    fn shows_extreme_buckets() {
        assert_eq!(exponential_bound(i32::MAX, i64::from(i32::MAX)), 1.0);
        assert_eq!(exponential_bound(-10, 1), f64::INFINITY);
        assert_eq!(exponential_bound(-10, -2), 0.0);
        let buckets = Buckets {
            offset: i32::MAX,
            bucket_counts: vec![0, 0, 1],
        };
        assert_eq!(filled(Some(&buckets)).collect::<Vec<_>>(), [(2_147_483_649, 1)]);
    }
}
