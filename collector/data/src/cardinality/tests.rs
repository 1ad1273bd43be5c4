use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, NumberDataPoint, Sum,
};

use super::*;

const NOW: i64 = 1_795_435_200;

fn limit(limit: usize) -> CardinalityLimit {
    CardinalityLimit::new(
        limit,
        OverflowRules {
            is_owner: |key| key == "job",
            gauges: |name| match name {
                "age" => Join::Max,
                "next" => Join::Min,
                _ => Join::Sum,
            },
        },
    )
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.into())),
        }),
        ..Default::default()
    }
}

fn number(value: Number, attributes: &[KeyValue]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.to_vec(),
        start_time_unix_nano: 10,
        time_unix_nano: 20,
        value: Some(value),
        ..Default::default()
    }
}

fn sum(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum {
        data_points,
        aggregation_temporality: 1,
        is_monotonic: true,
    })
}

fn gauge(value: f64) -> Data {
    Data::Gauge(Gauge {
        data_points: vec![number(Number::AsDouble(value), &[])],
    })
}

/// Metrics of a Job.
fn of_job(job: &str, metrics: Vec<(&str, Data)>) -> ResourceMetrics {
    let metrics = metrics.into_iter().map(|(name, data)| Metric {
        name: name.into(),
        unit: "{job}".into(),
        data: Some(data),
        ..Default::default()
    });
    ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![text("cluster", "c1"), text("job", job)],
            ..Default::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: "test".into(),
                ..Default::default()
            }),
            metrics: metrics.collect(),
            schema_url: "schema".into(),
        }],
        schema_url: "schema".into(),
    }
}

fn one(value: i64) -> Data {
    sum(vec![number(Number::AsInt(value), &[])])
}

/// The result for all of them, without and with an overflow.
fn apply(limit: &mut CardinalityLimit, all: Vec<ResourceMetrics>) -> (Vec<ResourceMetrics>, Option<ResourceMetrics>) {
    let mut overflow = Overflow::default();
    let own = all.into_iter().filter_map(|data| limit.apply(data, NOW, &mut overflow));
    let own = own.collect();
    (own, limit.overflow(overflow))
}

fn metric<'a>(data: &'a ResourceMetrics, name: &str) -> &'a Data {
    let mut metrics = data.scope_metrics[0].metrics.iter();
    metrics
        .find(|metric| metric.name == name)
        .unwrap()
        .data
        .as_ref()
        .unwrap()
}

fn values(data: &Data) -> Vec<Number> {
    let (Data::Sum(Sum { data_points, .. }) | Data::Gauge(Gauge { data_points })) = data else {
        panic!("{data:?}")
    };
    data_points.iter().map(|point| point.value.unwrap()).collect()
}

#[test]
fn ten_thousand_names_have_the_limit_of_series_and_their_sum() {
    let mut limit = limit(2000);
    let all = (0..10_000).map(|n| of_job(&format!("job-{n}"), vec![("failures", one(n))]));
    let (own, overflow) = apply(&mut limit, all.collect());
    let overflow = overflow.unwrap();
    assert_eq!(own.len() + 1, 2000);
    let Number::AsInt(beyond) = values(metric(&overflow, "failures"))[0] else {
        panic!("{overflow:?}")
    };
    let total: i64 = own
        .iter()
        .flat_map(|data| values(metric(data, "failures")))
        .map(|value| match value {
            Number::AsInt(value) => value,
            Number::AsDouble(_) => panic!("an integer stays one"),
        })
        .sum();
    assert_eq!(total + beyond, 9999 * 10_000 / 2);
}

#[test]
fn the_overflow_has_one_attribute_and_what_resources_share() {
    let mut limit = limit(2);
    let team = [text("team", "a")];
    let all = vec![
        of_job("a", vec![("failures", one(1))]),
        of_job("b", vec![("failures", sum(vec![number(Number::AsInt(2), &team)]))]),
    ];
    let (_, overflow) = apply(&mut limit, all);
    let overflow = overflow.unwrap();
    assert_eq!(overflow.resource.as_ref().unwrap().attributes, [text("cluster", "c1")]);
    assert_eq!((&*overflow.schema_url, overflow.scope_metrics.len()), ("schema", 1));
    assert_eq!(overflow.scope_metrics[0].scope.as_ref().unwrap().name, "test");
    let Data::Sum(sum) = metric(&overflow, "failures") else {
        panic!("{overflow:?}")
    };
    assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (1, true));
    let [point] = &sum.data_points[..] else {
        panic!("{sum:?}")
    };
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (10, 20));
    let [attribute] = &point.attributes[..] else {
        panic!("{point:?}")
    };
    assert_eq!(attribute.key, "otel.metric.overflow");
    assert_eq!(attribute.value.as_ref().unwrap().value, Some(Value::BoolValue(true)));
}

#[test]
fn an_attribute_that_differs_is_not_the_overflows() {
    let mut limit = limit(1);
    let mut other = of_job("b", vec![("failures", one(1))]);
    other.resource.as_mut().unwrap().attributes[0] = text("cluster", "c2");
    let (_, overflow) = apply(&mut limit, vec![of_job("a", vec![("failures", one(1))]), other]);
    assert!(overflow.unwrap().resource.unwrap().attributes.is_empty());
}

#[test]
fn each_metric_has_its_own_limit() {
    let mut limit = limit(3);
    let all = vec![
        of_job("a", vec![("failures", one(1))]),
        of_job("b", vec![("failures", one(1))]),
        of_job("c", vec![("failures", one(1)), ("completions", one(5))]),
    ];
    let (own, overflow) = apply(&mut limit, all);
    assert_eq!(own.len(), 3);
    assert_eq!(
        own[2].scope_metrics[0].metrics.len(),
        1,
        "its failure is in the overflow"
    );
    assert_eq!(values(metric(&own[2], "completions")), [Number::AsInt(5)]);
    assert_eq!(overflow.unwrap().scope_metrics[0].metrics.len(), 1);
    let series: Vec<_> = limit.series().collect();
    assert_eq!(series, [("completions", 1), ("failures", 2)]);
}

#[test]
fn a_series_is_known_in_any_order_of_attributes() {
    let mut limit = limit(2);
    let (a, b) = (text("team", "a"), text("tier", "b"));
    let of = |attributes: &[KeyValue]| of_job("a", vec![("failures", sum(vec![number(Number::AsInt(1), attributes)]))]);
    let mut turned = of(&[b.clone(), a.clone()]);
    turned.resource.as_mut().unwrap().attributes.reverse();
    let (own, overflow) = apply(&mut limit, vec![of(&[a.clone(), b.clone()]), turned]);
    assert_eq!((own.len(), overflow), (2, None));
    // Keys and values do not mix.
    let (own, _) = apply(&mut limit, vec![of(&[text("team", "b"), text("tier", "a")])]);
    assert!(own.is_empty());
}

#[test]
fn the_example_is_the_resource_with_most_points_beyond() {
    let mut limit = limit(1);
    let teams: Vec<_> = (0..3)
        .map(|n| number(Number::AsInt(1), &[text("team", &n.to_string())]))
        .collect();
    let mut overflow = Overflow::default();
    for data in [
        of_job("a", vec![("failures", one(1))]),
        of_job("b", vec![("failures", sum(teams))]),
        of_job("c", vec![("failures", one(1))]),
    ] {
        assert!(limit.apply(data, NOW, &mut overflow).is_none());
    }
    let joined = &overflow.metrics["failures"];
    assert_eq!((joined.points, &joined.example[1]), (5, &text("job", "b")));
}

#[test]
fn without_a_limit_nothing_changes() {
    let mut limit = limit(0);
    let all: Vec<_> = (0..5000)
        .map(|n| of_job(&n.to_string(), vec![("failures", one(1))]))
        .collect();
    assert_eq!(apply(&mut limit, all.clone()), (all, None));
    assert_eq!(limit.series().count(), 0);
}

#[test]
fn gauges_are_joined_by_their_rule() {
    let mut limit = limit(1);
    let job = |job: &str, value: f64| {
        of_job(
            job,
            vec![("age", gauge(value)), ("next", gauge(value)), ("pods", gauge(value))],
        )
    };
    let (own, overflow) = apply(&mut limit, vec![job("a", 3.0), job("b", 1.0), job("c", 7.0)]);
    let overflow = overflow.unwrap();
    assert!(own.is_empty());
    for (name, value) in [("age", 7.0), ("next", 1.0), ("pods", 11.0)] {
        assert_eq!(values(metric(&overflow, name)), [Number::AsDouble(value)], "{name}");
    }
}

#[test]
fn histograms_are_added_bucket_by_bucket() {
    let histogram = |scale: i32, offset: i32, counts: &[u64], sum: f64| {
        Data::ExponentialHistogram(ExponentialHistogram {
            aggregation_temporality: 1,
            data_points: vec![ExponentialHistogramDataPoint {
                scale,
                count: counts.iter().sum(),
                sum: Some(sum),
                min: Some(sum / 10.0),
                max: Some(sum),
                positive: Some(Buckets {
                    offset,
                    bucket_counts: counts.to_vec(),
                }),
                ..Default::default()
            }],
        })
    };
    let mut limit = limit(1);
    let all = vec![
        of_job("a", vec![("duration", histogram(0, 2, &[1, 2], 20.0))]),
        // At scale 0 its buckets are 2 (4 and 5), 3 (6 and 7).
        of_job("b", vec![("duration", histogram(1, 4, &[1, 1, 0, 4], 60.0))]),
    ];
    let (_, overflow) = apply(&mut limit, all);
    let overflow = overflow.unwrap();
    let Data::ExponentialHistogram(data) = metric(&overflow, "duration") else {
        panic!("{overflow:?}")
    };
    let [point] = &data.data_points[..] else {
        panic!("{data:?}")
    };
    assert_eq!(
        (point.count, point.sum, point.min, point.max),
        (9, Some(80.0), Some(2.0), Some(60.0))
    );
    let buckets = point.positive.as_ref().unwrap();
    assert_eq!(
        (point.scale, buckets.offset, &*buckets.bucket_counts),
        (0, 2, &[3, 6][..])
    );
}
