//! `retry_on_failure::max_metric_point_age`: removes the points that are too old for the backend. Pure: time is passed in.

use collector_data::{Payload, points};

/// Removes the points older than `limit` (nanoseconds since 1970) and returns their number. A point without a time stays.
pub(super) fn remove_older(payload: &mut Payload, limit: u64) -> u64 {
    let Payload::Metrics(resources) = payload else {
        return 0;
    };
    let mut removed = 0;
    for resource in resources.iter_mut() {
        for scope in &mut resource.scope_metrics {
            scope.metrics.retain_mut(|metric| {
                let Some(data) = &mut metric.data else { return true };
                let before = points::count(data);
                points::retain(data, |point| point.time() == 0 || point.time() >= limit);
                let left = points::count(data);
                removed += (before - left) as u64;
                left > 0
            });
        }
        resource.scope_metrics.retain(|scope| !scope.metrics.is_empty());
    }
    resources.retain(|resource| !resource.scope_metrics.is_empty());
    removed
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    };

    use super::*;

    fn gauge(name: &str, times: &[u64]) -> Metric {
        let point = |time: &u64| NumberDataPoint {
            time_unix_nano: *time,
            ..Default::default()
        };
        Metric {
            name: name.into(),
            data: Some(Data::Gauge(Gauge {
                data_points: times.iter().map(point).collect(),
            })),
            ..Default::default()
        }
    }

    fn histogram(times: &[u64]) -> Metric {
        let point = |time: &u64| HistogramDataPoint {
            time_unix_nano: *time,
            ..Default::default()
        };
        Metric {
            data: Some(Data::Histogram(Histogram {
                data_points: times.iter().map(point).collect(),
                aggregation_temporality: 1,
            })),
            ..Default::default()
        }
    }

    fn payload(resources: Vec<Vec<Metric>>) -> Payload {
        let resources = resources.into_iter().map(|metrics| ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics,
                ..Default::default()
            }],
            ..Default::default()
        });
        Payload::Metrics(resources.collect())
    }

    #[test]
    fn removes_old_points_and_empty_resources() {
        let mut all = payload(vec![
            vec![gauge("a", &[9, 10, 11]), gauge("b", &[3])],
            vec![gauge("c", &[1]), histogram(&[9])],
            vec![gauge("d", &[0, 9]), histogram(&[10, 9])],
        ]);
        assert_eq!(remove_older(&mut all, 10), 6);
        let expected = payload(vec![
            vec![gauge("a", &[10, 11])],
            vec![gauge("d", &[0]), histogram(&[10])],
        ]);
        assert_eq!(all, expected);
        assert_eq!(remove_older(&mut all, 10), 0);
        assert_eq!(remove_older(&mut Payload::Logs(Vec::new()), 10), 0);
    }
}
