//! One line for each log record, metric point and span, under a line for their resource. Long values are cut.

use collector_data::Payload;
use collector_data::points::{PointRef, points};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::text::Text;
use crate::value::{MetricKind, double, hex, inline, key, member, name, time};

/// The most characters of a value that are shown.
const LONGEST: usize = 120;

pub(crate) fn render(payload: &Payload) -> String {
    let mut text = Text::default();
    match payload {
        Payload::Logs(resources) => {
            for resource in resources {
                let scopes = resource.scope_logs.iter();
                let records = scopes.flat_map(|scope| &scope.log_records);
                under(&mut text, "logs", resource.resource.as_ref(), records.map(log));
            }
        }
        Payload::Metrics(resources) => {
            for resource in resources {
                let scopes = resource.scope_metrics.iter();
                let points = scopes.flat_map(|scope| &scope.metrics).flat_map(metric);
                under(&mut text, "metrics", resource.resource.as_ref(), points);
            }
        }
        Payload::Traces(resources) => {
            for resource in resources {
                let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
                under(&mut text, "traces", resource.resource.as_ref(), spans.map(span));
            }
        }
    }
    text.finish()
}

fn under(text: &mut Text, signal: &str, resource: Option<&Resource>, lines: impl Iterator<Item = String>) {
    let attributes = resource
        .map(|resource| resource.attributes.as_slice())
        .unwrap_or_default();
    text.block(format_args!("{signal} of {{{}}}", pairs(attributes, ", ")), |text| {
        for line in lines {
            text.line(format_args!("{line}"));
        }
    });
}

fn log(record: &LogRecord) -> String {
    let at = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        at => at,
    };
    let mut words = vec![time(at)];
    if !record.severity_text.is_empty() {
        words.push(name(&record.severity_text));
    } else if record.severity_number != 0 {
        words.push(member(
            record.severity_number,
            "SEVERITY_NUMBER_",
            SeverityNumber::as_str_name,
        ));
    }
    if !record.event_name.is_empty() {
        words.push(name(&record.event_name));
    }
    if record.body.is_some() {
        words.push(cut(inline(record.body.as_ref())));
    }
    words.extend(some(pairs(&record.attributes, " ")));
    words.join(" ")
}

fn metric(metric: &Metric) -> Vec<String> {
    let Some(data) = &metric.data else {
        return vec![format!("{} without data", name(&metric.name))];
    };
    let MetricKind {
        name: kind,
        temporality,
        monotonic,
    } = MetricKind::of(data);
    let temporality = temporality
        .map(|temporality| format!("{temporality} "))
        .unwrap_or_default();
    let monotonic = match monotonic {
        Some("not monotonic") => ", not monotonic",
        _ => "",
    };
    let unit = some(metric.unit.clone()).map(|unit| format!(" {}", name_of_unit(&unit)));
    let unit = unit.unwrap_or_default();
    let line = |point: PointRef<'_>| {
        let labels = some(pairs(point.attributes(), ", ")).map(|pairs| format!("{{{pairs}}}"));
        let value = match point {
            PointRef::Number(p) => number(p.value.as_ref()),
            PointRef::Histogram(p) => summed(p.count, p.sum, p.min, p.max),
            PointRef::Exponential(p) => summed(p.count, p.sum, p.min, p.max),
            PointRef::Summary(p) => summed(p.count, Some(p.sum), None, None),
        };
        format!(
            "{} {}{} {value}{unit} ({temporality}{kind}{monotonic})",
            time(point.time()),
            name(&metric.name),
            labels.unwrap_or_default(),
        )
    };
    points(data).map(line).collect()
}

fn span(span: &Span) -> String {
    // Signed: clocks differ, and a span may seem to end before it began.
    let nanos = i128::from(span.end_time_unix_nano) - i128::from(span.start_time_unix_nano);
    let mut words = vec![
        time(span.start_time_unix_nano),
        name(&span.name),
        member(span.kind, "SPAN_KIND_", SpanKind::as_str_name).to_lowercase(),
        format!("{}s", double(nanos as f64 / 1e9)),
        format!("trace={}", hex(&span.trace_id)),
        format!("span={}", hex(&span.span_id)),
    ];
    if let Some(status) = &span.status {
        words.push(member(status.code, "STATUS_CODE_", StatusCode::as_str_name));
        words.extend(some(status.message.clone()).map(|message| cut(format!("{message:?}"))));
    }
    words.extend(some(pairs(&span.attributes, " ")));
    words.join(" ")
}

/// The value of a point, or `no value`.
pub(crate) fn number(value: Option<&number_data_point::Value>) -> String {
    match value {
        Some(number_data_point::Value::AsInt(i)) => i.to_string(),
        Some(number_data_point::Value::AsDouble(d)) => double(*d),
        None => "no value".into(),
    }
}

fn summed(count: u64, sum: Option<f64>, min: Option<f64>, max: Option<f64>) -> String {
    let mut text = format!("count={count}");
    for (label, value) in [("sum", sum), ("min", min), ("max", max)] {
        if let Some(value) = value {
            text.push_str(&format!(" {label}={}", double(value)));
        }
    }
    text
}

/// A unit as it is, such as `{job}` or `By/s`; in quotes if it contains an unusual character.
fn name_of_unit(unit: &str) -> String {
    match unit.chars().all(|c| c.is_ascii_graphic()) {
        true => unit.to_owned(),
        false => format!("{unit:?}"),
    }
}

fn pairs(attributes: &[KeyValue], between: &str) -> String {
    let pairs = attributes.iter().map(|attribute| {
        let value = cut(inline(attribute.value.as_ref()));
        format!("{}={value}", key(attribute))
    });
    pairs.collect::<Vec<_>>().join(between)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn shows_logs() {
        assert_eq!(
            render(&samples::logs()),
            concat!(
                "logs of {k8s.namespace.name=\"shop\", k8s.cronjob.name=\"report\"}\n",
                "  2023-11-14T22:13:20Z ERROR k8s.job.finished \"Job shop/report-1 failed:\\nit ran too long\" ",
                "k8s.job.failure.reason=\"DeadlineExceeded\" k8s.job.duration=10.5 ",
                "k8s.job.evidence={job: {uid: \"u-1\", pods: []}, attempts: [{exit_code: 137}], raw: 0x0aff}\n",
            )
        );
    }

    #[test]
    fn shows_metrics() {
        assert_eq!(
            render(&samples::metrics()),
            concat!(
                "metrics of {k8s.namespace.name=\"shop\", k8s.cronjob.name=\"report\"}\n",
                "  2023-11-14T22:13:20Z k8s.job.failures{reason=\"DeadlineExceeded\"} 1 {job} (delta sum)\n",
                "  2023-11-14T22:13:20Z k8s.job.duration{outcome=\"Failed\"} count=4 sum=17.5 min=0.0 max=10.5 s ",
                "(delta exponential histogram)\n",
                "  2023-11-14T22:13:20Z \"\" NaN (gauge)\n",
                "  2023-11-14T22:13:20Z latency count=3 sum=6.0 ms (cumulative histogram)\n",
                "  2023-11-14T22:13:20Z quantiles count=2 sum=3.0 (summary)\n",
            )
        );
    }

    #[test]
    fn shows_traces() {
        assert_eq!(
            render(&samples::traces()),
            concat!(
                "traces of {}\n",
                "  2023-11-14T22:13:20Z \"job run\" internal 10.5s trace=00112233445566778899aabbccddeeff ",
                "span=0011223344556677 ERROR \"too long\" attempt=1\n",
            )
        );
    }

    #[test]
    fn cuts_long_values_between_characters() {
        let text = cut("ж".repeat(LONGEST + 1));
        assert_eq!(text, format!("{}…", "ж".repeat(LONGEST)));
        assert_eq!(cut("ж".repeat(LONGEST)), "ж".repeat(LONGEST));
    }

    #[test]
    fn shows_a_span_that_ends_before_its_start() {
        let line = span(&Span {
            start_time_unix_nano: u64::MAX,
            kind: 77,
            ..Default::default()
        });
        assert!(line.contains(" 77 -18446744073.709553s "), "{line}");
    }
}
