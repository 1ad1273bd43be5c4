//! Cuts data in two when a request would be too large.

use std::ops::Range;

use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

use crate::{Payload, points};

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
        Payload::Logs(resources) => Payload::Logs(logs(resources, &mut cut)),
        Payload::Metrics(resources) => Payload::Metrics(metrics(resources, &mut cut)),
        Payload::Traces(resources) => Payload::Traces(traces(resources, &mut cut)),
    }
}

fn logs(resources: &[ResourceLogs], cut: &mut Cut) -> Vec<ResourceLogs> {
    let resources = resources.iter().filter_map(|resource| {
        let scopes = resource.scope_logs.iter().filter_map(|scope| {
            Some(ScopeLogs {
                log_records: cut.items(&scope.log_records)?,
                scope: scope.scope.clone(),
                schema_url: scope.schema_url.clone(),
            })
        });
        Some(ResourceLogs {
            scope_logs: non_empty(scopes)?,
            resource: resource.resource.clone(),
            schema_url: resource.schema_url.clone(),
        })
    });
    resources.collect()
}

fn traces(resources: &[ResourceSpans], cut: &mut Cut) -> Vec<ResourceSpans> {
    let resources = resources.iter().filter_map(|resource| {
        let scopes = resource.scope_spans.iter().filter_map(|scope| {
            Some(ScopeSpans {
                spans: cut.items(&scope.spans)?,
                scope: scope.scope.clone(),
                schema_url: scope.schema_url.clone(),
            })
        });
        Some(ResourceSpans {
            scope_spans: non_empty(scopes)?,
            resource: resource.resource.clone(),
            schema_url: resource.schema_url.clone(),
        })
    });
    resources.collect()
}

fn metrics(resources: &[ResourceMetrics], cut: &mut Cut) -> Vec<ResourceMetrics> {
    let resources = resources.iter().filter_map(|resource| {
        let scopes = resource.scope_metrics.iter().filter_map(|scope| {
            let metrics = scope.metrics.iter().filter_map(|metric| {
                let data = metric.data.as_ref()?;
                Some(Metric {
                    data: Some(points::slice(data, cut.next(points::count(data))?)),
                    name: metric.name.clone(),
                    description: metric.description.clone(),
                    unit: metric.unit.clone(),
                    metadata: metric.metadata.clone(),
                })
            });
            Some(ScopeMetrics {
                metrics: non_empty(metrics)?,
                scope: scope.scope.clone(),
                schema_url: scope.schema_url.clone(),
            })
        });
        Some(ResourceMetrics {
            scope_metrics: non_empty(scopes)?,
            resource: resource.resource.clone(),
            schema_url: resource.schema_url.clone(),
        })
    });
    resources.collect()
}

fn non_empty<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

/// A range of items, and the number of items before the next one.
struct Cut {
    from: usize,
    to: usize,
    seen: usize,
}

impl Cut {
    /// The part of the next `count` items that lies in the range; `None` if it is empty.
    fn next(&mut self, count: usize) -> Option<Range<usize>> {
        let begin = self.from.saturating_sub(self.seen).min(count);
        let end = self.to.saturating_sub(self.seen).min(count);
        self.seen += count;
        (begin < end).then_some(begin..end)
    }

    fn items<T: Clone>(&mut self, items: &[T]) -> Option<Vec<T>> {
        self.next(items.len()).map(|range| items[range].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::*;
    use crate::points::tests::each_kind_at;

    fn of_shape(shape: &[&[usize]]) -> Payload {
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
    fn halves_keep_every_item_once_and_in_order() {
        for shape in [
            &[&[2][..]][..],
            &[&[1, 3], &[], &[4]],
            &[&[0, 5], &[1]],
            &[&[7], &[7, 7]],
        ] {
            let whole = of_shape(shape);
            let (left, right) = halves(&whole).unwrap();
            assert_eq!(left.items(), whole.items() / 2);
            assert_eq!([times(&left), times(&right)].concat(), times(&whole), "{shape:?}");
        }
    }

    #[test]
    fn does_not_cut_a_single_item() {
        assert!(halves(&of_shape(&[&[1]])).is_none());
        assert!(halves(&of_shape(&[])).is_none());
    }

    #[test]
    fn cuts_the_points_of_a_metric_of_every_kind() {
        for (data, (left, right)) in each_kind_at(&[1, 2, 3, 4, 5])
            .into_iter()
            .zip(each_kind_at(&[1, 2]).into_iter().zip(each_kind_at(&[3, 4, 5])))
        {
            let whole = |data| {
                Payload::Metrics(vec![ResourceMetrics {
                    scope_metrics: vec![ScopeMetrics {
                        metrics: vec![Metric {
                            name: "m".into(),
                            data: Some(data),
                            ..Default::default()
                        }],
                        ..Default::default()
                    }],
                    ..Default::default()
                }])
            };
            assert_eq!(halves(&whole(data)), Some((whole(left), whole(right))));
        }
    }

    #[test]
    fn cuts_spans() {
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
