//! The checks of a backend on decoded data, which it keeps, refuses or silently drops. Pure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::profile::{Profile, Temporalities};
use super::received::{ReceivedData, retain_points};
use super::rules;

/// Data that the backend accepted, and silently dropped or cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The name of the metric or the attribute.
    pub what: String,
    /// The reason.
    pub why: &'static str,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// The result of the checks.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) kept: ReceivedData,
    /// The number of refused items, and the message of the backend.
    pub(super) rejected: Option<(usize, &'static str)>,
    pub(super) lost: Vec<Lost>,
}

/// Applies the rules of a backend at `now`.
pub(super) fn check(profile: &Profile, payload: ReceivedData, now: Timestamp) -> Checked {
    let before = payload.items();
    let mut checked = Checked {
        kept: payload,
        rejected: None,
        lost: Vec::new(),
    };
    if let Some(limits) = profile.attribute {
        each_attribute(&checked.kept, |attribute| {
            checked.lost.extend(too_long(attribute, limits))
        });
    }
    match profile.temporalities {
        Temporalities::Any => {}
        Temporalities::RefusesCumulative(reason) => {
            if rules::has_refused_metric(&checked.kept) {
                retain_metrics(&mut checked.kept, |_| false);
                checked.rejected = Some((before, reason));
                return checked;
            }
        }
        Temporalities::RejectsCumulative(reason) => {
            retain_metrics(&mut checked.kept, |metric| !rules::is_refused(metric));
            let rejected = before - checked.kept.items();
            checked.rejected = (rejected > 0).then_some((rejected, reason));
        }
        Temporalities::DropsDelta => {
            let lost = &mut checked.lost;
            retain_metrics(&mut checked.kept, |metric| {
                let is_delta = temporality(metric) == Some(AggregationTemporality::Delta as i32);
                if is_delta {
                    lost.push(Lost {
                        what: metric.name.clone(),
                        why: "a delta; the backend keeps cumulative values only",
                    });
                }
                !is_delta
            });
        }
    }
    if let Some(ages) = profile.ages {
        drop_points(&mut checked.kept, ages, now, &mut checked.lost);
    }
    checked
}

fn temporality(metric: &Metric) -> Option<i32> {
    match metric.data.as_ref()? {
        Data::Sum(sum) => Some(sum.aggregation_temporality),
        Data::Histogram(histogram) => Some(histogram.aggregation_temporality),
        Data::ExponentialHistogram(histogram) => Some(histogram.aggregation_temporality),
        Data::Gauge(_) | Data::Summary(_) => None,
    }
}

fn retain_metrics(payload: &mut ReceivedData, mut keep: impl FnMut(&Metric) -> bool) {
    if let ReceivedData::Metrics(request) = payload {
        let resources = request.resource_metrics.iter_mut();
        for scope in resources.flat_map(|resource| &mut resource.scope_metrics) {
            scope.metrics.retain(&mut keep);
        }
    }
}

/// Drops the points that are too old, or too far ahead.
fn drop_points(payload: &mut ReceivedData, (past, future): (Duration, Duration), now: Timestamp, lost: &mut Vec<Lost>) {
    let now = u64::try_from(now.as_nanosecond()).unwrap_or(0);
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let (oldest, newest) = (now.saturating_sub(nanos(past)), now.saturating_add(nanos(future)));
    for metric in payload.metrics_mut() {
        let name = metric.name.clone();
        retain_points(metric, |time| {
            let why = match time {
                time if time < oldest => "its time is too long ago",
                time if time > newest => "its time is too far ahead",
                _ => return true,
            };
            let what = name.clone();
            lost.push(Lost { what, why });
            false
        });
    }
}

fn too_long(attribute: &KeyValue, (name, text): (usize, usize)) -> Option<Lost> {
    let value = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(value)) => value.chars().count(),
        _ => 0,
    };
    let why = match (attribute.key.chars().count() > name, value > text) {
        (true, _) => "its name is too long",
        (_, true) => "its text is too long and is cut",
        _ => return None,
    };
    Some(Lost {
        what: attribute.key.clone(),
        why,
    })
}

/// Calls `see` for each attribute of resources, records and spans.
fn each_attribute(payload: &ReceivedData, mut see: impl FnMut(&KeyValue)) {
    fn of(resource: Option<&Resource>) -> &[KeyValue] {
        resource.map_or(&[], |resource| &resource.attributes)
    }
    let mut attributes: Vec<&KeyValue> = Vec::new();
    match payload {
        ReceivedData::Logs(request) => {
            for resource in &request.resource_logs {
                attributes.extend(of(resource.resource.as_ref()));
                let records = resource.scope_logs.iter().flat_map(|scope| &scope.log_records);
                attributes.extend(records.flat_map(|record| &record.attributes));
            }
        }
        ReceivedData::Traces(request) => {
            for resource in &request.resource_spans {
                attributes.extend(of(resource.resource.as_ref()));
                let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
                attributes.extend(spans.flat_map(|span| &span.attributes));
            }
        }
        ReceivedData::Metrics(request) => {
            for resource in &request.resource_metrics {
                attributes.extend(of(resource.resource.as_ref()));
            }
        }
    }
    attributes.into_iter().for_each(&mut see);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum};

    use super::super::profile::{DATADOG, DYNATRACE, GRAFANA_CLOUD, NEW_RELIC, PROFILES};
    use super::*;

    const NOW: i64 = 1_795_435_200;

    fn points(second: i64) -> Vec<NumberDataPoint> {
        vec![NumberDataPoint {
            time_unix_nano: second as u64 * 1_000_000_000,
            ..Default::default()
        }]
    }

    fn sum(name: &str, temporality: AggregationTemporality, second: i64) -> Metric {
        Metric {
            name: name.into(),
            data: Some(Data::Sum(Sum {
                data_points: points(second),
                aggregation_temporality: temporality as i32,
                is_monotonic: true,
            })),
            ..Default::default()
        }
    }

    fn gauge(name: &str, second: i64) -> Metric {
        let data_points = points(second);
        Metric {
            name: name.into(),
            data: Some(Data::Gauge(Gauge { data_points })),
            ..Default::default()
        }
    }

    fn checked(profile: &Profile, metrics: Vec<Metric>) -> (Vec<String>, Option<(usize, &'static str)>, Vec<String>) {
        let scope_metrics = vec![ScopeMetrics {
            metrics,
            ..Default::default()
        }];
        let long = KeyValue {
            key: "k".into(),
            value: Some(AnyValue {
                value: Some(Value::StringValue("x".repeat(4096))),
            }),
            ..Default::default()
        };
        let resource_metrics = vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![long],
                ..Default::default()
            }),
            scope_metrics,
            ..Default::default()
        }];
        let payload = ReceivedData::Metrics(ExportMetricsServiceRequest { resource_metrics });
        let checked = check(profile, payload, Timestamp::from_second(NOW).unwrap());
        let kept = checked.kept.points().into_iter().map(|point| point.metric).collect();
        (
            kept,
            checked.rejected,
            checked.lost.iter().map(Lost::to_string).collect(),
        )
    }

    fn mixed() -> Vec<Metric> {
        vec![
            sum("delta", AggregationTemporality::Delta, NOW),
            sum("total", AggregationTemporality::Cumulative, NOW),
            gauge("gauge", NOW),
        ]
    }

    #[test]
    fn backends_differ_in_accepted_temporality() {
        let (kept, rejected, _) = checked(&DATADOG, mixed());
        assert_eq!(
            (kept.len(), rejected.map(|(count, _)| count)),
            (0, Some(3)),
            "all or nothing"
        );
        let (kept, rejected, _) = checked(&DYNATRACE, mixed());
        assert_eq!(kept, ["delta", "gauge"]);
        assert_eq!(rejected.unwrap().0, 1);
        let (kept, rejected, lost) = checked(&GRAFANA_CLOUD, mixed());
        assert_eq!((kept, rejected), (vec!["total".to_owned(), "gauge".into()], None));
        assert_eq!(lost, ["delta: a delta; the backend keeps cumulative values only"]);
        let (kept, rejected, lost) = checked(&NEW_RELIC, mixed());
        assert_eq!((kept.len(), rejected), (3, None));
        assert_eq!(lost, ["k: its text is too long and is cut"]);
    }

    #[test]
    fn datadog_drops_old_and_future_points() {
        let at = |second: i64| checked(&DATADOG, vec![gauge("g", NOW + second)]);
        for accepted in [-3600, 0, 600] {
            let (kept, rejected, lost) = at(accepted);
            assert_eq!((kept.len(), rejected, lost.len()), (1, None, 0), "{accepted}");
        }
        let (kept, rejected, lost) = at(-3601);
        assert_eq!((kept.len(), rejected), (0, None));
        assert_eq!(lost, ["g: its time is too long ago"]);
        assert_eq!(at(601).2, ["g: its time is too far ahead"]);
        // The other backends document no such rule.
        for profile in PROFILES.iter().filter(|profile| profile.name != "datadog") {
            assert_eq!(checked(profile, vec![gauge("g", 0)]).0.len(), 1, "{}", profile.name);
        }
    }
}
