//! Cuts data in two when a request would be too large.

use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

use crate::Payload;

/// Two halves by number of items, in order, each item with its resource and scope; `None` for fewer than two items.
pub fn halves(payload: &Payload) -> Option<(Payload, Payload)> {
    let items = payload.items();
    if items < 2 {
        return None;
    }
    let middle = items / 2;
    Some((range(payload, 0, middle), range(payload, middle, items)))
}

/// The items `from..to`, counted over the whole payload, each with its resource and scope.
pub fn range(payload: &Payload, from: usize, to: usize) -> Payload {
    let mut cut = Cut { from, to, seen: 0 };
    match payload {
        Payload::Logs(resources) => Payload::Logs(
            resources
                .iter()
                .filter_map(|resource| {
                    let scopes = resource.scope_logs.iter().filter_map(|scope| {
                        let log_records = cut.take(&scope.log_records)?;
                        Some(ScopeLogs {
                            scope: scope.scope.clone(),
                            log_records,
                            schema_url: scope.schema_url.clone(),
                        })
                    });
                    let scope_logs: Vec<_> = scopes.collect();
                    (!scope_logs.is_empty()).then(|| ResourceLogs {
                        resource: resource.resource.clone(),
                        scope_logs,
                        schema_url: resource.schema_url.clone(),
                    })
                })
                .collect(),
        ),
        Payload::Traces(resources) => Payload::Traces(
            resources
                .iter()
                .filter_map(|resource| {
                    let scopes = resource.scope_spans.iter().filter_map(|scope| {
                        let spans = cut.take(&scope.spans)?;
                        Some(ScopeSpans {
                            scope: scope.scope.clone(),
                            spans,
                            schema_url: scope.schema_url.clone(),
                        })
                    });
                    let scope_spans: Vec<_> = scopes.collect();
                    (!scope_spans.is_empty()).then(|| ResourceSpans {
                        resource: resource.resource.clone(),
                        scope_spans,
                        schema_url: resource.schema_url.clone(),
                    })
                })
                .collect(),
        ),
        Payload::Metrics(resources) => Payload::Metrics(
            resources
                .iter()
                .filter_map(|resource| {
                    let scopes = resource.scope_metrics.iter().filter_map(|scope| {
                        let metrics: Vec<_> = scope
                            .metrics
                            .iter()
                            .filter_map(|metric| points(metric, &mut cut))
                            .collect();
                        (!metrics.is_empty()).then(|| ScopeMetrics {
                            scope: scope.scope.clone(),
                            metrics,
                            schema_url: scope.schema_url.clone(),
                        })
                    });
                    let scope_metrics: Vec<_> = scopes.collect();
                    (!scope_metrics.is_empty()).then(|| ResourceMetrics {
                        resource: resource.resource.clone(),
                        scope_metrics,
                        schema_url: resource.schema_url.clone(),
                    })
                })
                .collect(),
        ),
    }
}

/// The metric with those of its points that lie in the cut.
fn points(metric: &Metric, cut: &mut Cut) -> Option<Metric> {
    let data = match metric.data.as_ref()? {
        Data::Gauge(data) => Data::Gauge(opentelemetry_proto::tonic::metrics::v1::Gauge {
            data_points: cut.take(&data.data_points)?,
        }),
        Data::Sum(data) => Data::Sum(opentelemetry_proto::tonic::metrics::v1::Sum {
            data_points: cut.take(&data.data_points)?,
            aggregation_temporality: data.aggregation_temporality,
            is_monotonic: data.is_monotonic,
        }),
        Data::Histogram(data) => Data::Histogram(opentelemetry_proto::tonic::metrics::v1::Histogram {
            data_points: cut.take(&data.data_points)?,
            aggregation_temporality: data.aggregation_temporality,
        }),
        Data::ExponentialHistogram(data) => {
            Data::ExponentialHistogram(opentelemetry_proto::tonic::metrics::v1::ExponentialHistogram {
                data_points: cut.take(&data.data_points)?,
                aggregation_temporality: data.aggregation_temporality,
            })
        }
        Data::Summary(data) => Data::Summary(opentelemetry_proto::tonic::metrics::v1::Summary {
            data_points: cut.take(&data.data_points)?,
        }),
    };
    Some(Metric {
        name: metric.name.clone(),
        description: metric.description.clone(),
        unit: metric.unit.clone(),
        data: Some(data),
        metadata: metric.metadata.clone(),
    })
}

/// A range of items, and how many items have gone by.
struct Cut {
    from: usize,
    to: usize,
    seen: usize,
}

impl Cut {
    /// Those of the next items that lie in the range; `None` if none does.
    fn take<T: Clone>(&mut self, items: &[T]) -> Option<Vec<T>> {
        let begin = self.from.saturating_sub(self.seen).min(items.len());
        let end = self.to.saturating_sub(self.seen).min(items.len());
        self.seen += items.len();
        (begin < end).then(|| items[begin..end].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, Sum};
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::*;

    fn logs(shape: &[&[usize]]) -> Payload {
        let mut time = 0;
        let mut record = || {
            time += 1;
            LogRecord {
                time_unix_nano: time,
                ..Default::default()
            }
        };
        Payload::Logs(
            shape
                .iter()
                .enumerate()
                .map(|(number, scopes)| ResourceLogs {
                    schema_url: format!("resource {number}"),
                    scope_logs: scopes
                        .iter()
                        .map(|count| ScopeLogs {
                            log_records: (0..*count).map(|_| record()).collect(),
                            ..Default::default()
                        })
                        .collect(),
                    ..Default::default()
                })
                .collect(),
        )
    }

    fn times(payload: &Payload) -> Vec<(String, u64)> {
        let Payload::Logs(resources) = payload else { panic!() };
        let records = resources.iter().flat_map(|resource| {
            let records = resource.scope_logs.iter().flat_map(|scope| &scope.log_records);
            records.map(|record| (resource.schema_url.clone(), record.time_unix_nano))
        });
        records.collect()
    }

    #[test]
    fn nothing_is_lost_doubled_or_moved() {
        for shape in [
            &[&[2][..]][..],
            &[&[1, 3], &[], &[4]],
            &[&[0, 5], &[1]],
            &[&[7], &[7, 7]],
        ] {
            let whole = logs(shape);
            let (left, right) = halves(&whole).unwrap();
            assert_eq!(left.items(), whole.items() / 2);
            assert_eq!([times(&left), times(&right)].concat(), times(&whole), "{shape:?}");
        }
    }

    #[test]
    fn one_item_cannot_be_cut() {
        assert!(halves(&logs(&[&[1]])).is_none());
        assert!(halves(&logs(&[])).is_none());
    }

    #[test]
    fn points_of_one_metric_keep_its_nature() {
        let sum = Sum {
            data_points: (0..5)
                .map(|time| NumberDataPoint {
                    time_unix_nano: time,
                    ..Default::default()
                })
                .collect(),
            aggregation_temporality: 1,
            is_monotonic: true,
        };
        let metric = Metric {
            name: "m".into(),
            data: Some(Data::Sum(sum)),
            ..Default::default()
        };
        let whole = Payload::Metrics(vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![metric],
                ..Default::default()
            }],
            ..Default::default()
        }]);
        let (left, right) = halves(&whole).unwrap();
        assert_eq!((left.items(), right.items()), (2, 3));
        for half in [left, right] {
            let Payload::Metrics(resources) = half else { panic!() };
            let Some(Data::Sum(sum)) = &resources[0].scope_metrics[0].metrics[0].data else {
                panic!()
            };
            assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (1, true));
        }
    }

    #[test]
    fn spans_are_cut_too() {
        let whole = Payload::Traces(vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![Span::default(); 3],
                ..Default::default()
            }],
            ..Default::default()
        }]);
        let (left, right) = halves(&whole).unwrap();
        assert_eq!((left.items(), right.items()), (1, 2));
    }
}
