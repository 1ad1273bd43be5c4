//! Families as text.
//!
//! Sources: Prometheus documentation, "Exposition formats", "Text-based format"; OpenMetrics 1.0 specification.

use std::fmt::Write;

use super::{Family, FamilyKind, Format, Series, Value};

/// Appends families. For OpenMetrics the caller writes the final `# EOF`.
pub fn write(out: &mut String, families: &[Family], format: Format, timestamps: bool) {
    for family in families {
        let kind = type_word(family, format);
        let base = write_head(out, &family.name, kind, &family.help, family.unit.as_deref(), format);
        let writer = Writer {
            base,
            name: &family.name,
            created: format == Format::OpenMetrics && kind != "unknown",
            format,
            timestamps,
        };
        for series in &family.series {
            writer.series(out, series, family.kind);
        }
    }
}

/// The word for a family's type. OpenMetrics has no counter whose name does not end with `_total`.
fn type_word(family: &Family, format: Format) -> &'static str {
    match (family.kind, format) {
        (FamilyKind::Counter, Format::OpenMetrics) if !family.name.ends_with("_total") => "unknown",
        (FamilyKind::Counter, _) => "counter",
        (FamilyKind::Gauge, _) | (FamilyKind::Info, Format::Text) => "gauge",
        (FamilyKind::Histogram, _) => "histogram",
        (FamilyKind::Summary, _) => "summary",
        (FamilyKind::Info, Format::OpenMetrics) => "info",
    }
}

/// Writes the comments before the samples of a family, and returns the name of the family in this format.
pub fn write_head<'a>(
    out: &mut String,
    name: &'a str,
    kind: &str,
    help: &str,
    unit: Option<&str>,
    format: Format,
) -> &'a str {
    let base = match (format, kind) {
        (Format::OpenMetrics, "counter") => name.strip_suffix("_total").unwrap_or(name),
        (Format::OpenMetrics, "info") => name.strip_suffix("_info").unwrap_or(name),
        _ => name,
    };
    if !help.is_empty() {
        out.push_str("# HELP ");
        out.push_str(base);
        out.push(' ');
        escape(out, help, format == Format::OpenMetrics);
        out.push('\n');
    }
    let _ = writeln!(out, "# TYPE {base} {kind}");
    if let Some(unit) = unit
        && format == Format::OpenMetrics
        && base.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
    {
        let _ = writeln!(out, "# UNIT {base} {unit}");
    }
    base
}

struct Writer<'a> {
    base: &'a str,
    name: &'a str,
    created: bool,
    format: Format,
    timestamps: bool,
}

impl Writer<'_> {
    fn series(&self, out: &mut String, series: &Series, kind: FamilyKind) {
        match &series.value {
            Value::Integer(value) => self.sample(out, "", series, None, |out| {
                let _ = write!(out, "{value}");
            }),
            Value::Float(value) => self.sample(out, "", series, None, |out| number(out, *value)),
            Value::Histogram(histogram) => {
                let last = (f64::INFINITY, histogram.count);
                for (bound, count) in histogram.buckets.iter().chain([&last]) {
                    self.sample(out, "_bucket", series, Some(("le", *bound)), |out| {
                        let _ = write!(out, "{count}");
                    });
                }
                if let Some(sum) = histogram.sum {
                    self.sample(out, "_sum", series, None, |out| number(out, sum));
                }
                self.sample(out, "_count", series, None, |out| {
                    let _ = write!(out, "{}", histogram.count);
                });
            }
            Value::Summary { count, sum, quantiles } => {
                for (quantile, value) in quantiles {
                    self.sample(out, "", series, Some(("quantile", *quantile)), |out| {
                        number(out, *value)
                    });
                }
                self.sample(out, "_sum", series, None, |out| number(out, *sum));
                self.sample(out, "_count", series, None, |out| {
                    let _ = write!(out, "{count}");
                });
            }
        }
        let counts = matches!(kind, FamilyKind::Counter | FamilyKind::Histogram | FamilyKind::Summary);
        if self.created && counts && series.created != 0 {
            out.push_str(self.base);
            out.push_str("_created");
            write_labels(out, &series.labels);
            out.push(' ');
            seconds(out, series.created);
            out.push('\n');
        }
    }

    fn sample(
        &self,
        out: &mut String,
        suffix: &str,
        series: &Series,
        extra: Option<(&str, f64)>,
        value: impl FnOnce(&mut String),
    ) {
        out.push_str(self.name);
        out.push_str(suffix);
        match extra {
            None => write_labels(out, &series.labels),
            Some((label, bound)) => {
                out.push('{');
                for (name, value) in &series.labels {
                    pair(out, name, value);
                    out.push(',');
                }
                let _ = write!(out, "{label}=\"");
                match self.format {
                    Format::Text => number(out, bound),
                    Format::OpenMetrics => canonical(out, bound),
                }
                out.push_str("\"}");
            }
        }
        out.push(' ');
        value(out);
        if self.timestamps && series.time != 0 {
            out.push(' ');
            match self.format {
                Format::Text => {
                    let _ = write!(out, "{}", series.time / 1_000_000);
                }
                Format::OpenMetrics => seconds(out, series.time),
            }
        }
        out.push('\n');
    }
}

/// Writes labels in braces; nothing where there are none.
pub fn write_labels<N: AsRef<str>, V: AsRef<str>>(out: &mut String, labels: &[(N, V)]) {
    for (at, (name, value)) in labels.iter().enumerate() {
        out.push(if at == 0 { '{' } else { ',' });
        pair(out, name.as_ref(), value.as_ref());
    }
    if !labels.is_empty() {
        out.push('}');
    }
}

fn pair(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value, true);
    out.push('"');
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

/// A number, whole ones without a point.
fn number(out: &mut String, value: f64) {
    let from = out.len();
    canonical(out, value);
    if out[from..].ends_with(".0") {
        out.truncate(out.len() - 2);
    }
}

/// A number in the form of bounds in OpenMetrics: with a point or an exponent.
fn canonical(out: &mut String, value: f64) {
    let _ = match value {
        _ if value.is_nan() => write!(out, "NaN"),
        f64::INFINITY => write!(out, "+Inf"),
        f64::NEG_INFINITY => write!(out, "-Inf"),
        _ => write!(out, "{value:?}"),
    };
}

/// Nanoseconds as seconds, to the millisecond.
fn seconds(out: &mut String, nanos: u64) {
    let millis = nanos / 1_000_000;
    let _ = write!(out, "{}.{:03}", millis / 1000, millis % 1000);
}

#[cfg(test)]
mod tests {
    use super::super::Classic;
    use super::*;

    fn family(name: &str, kind: FamilyKind, value: Value) -> Family {
        Family {
            name: name.into(),
            kind,
            help: "What it \\ \"means\"\nto us.".into(),
            unit: Some("seconds".into()),
            series: vec![Series {
                labels: vec![("a".into(), "x\\y\"z\n".into())],
                value,
                time: 1_500_000_000_250_000_000,
                created: 1_400_000_000_000_000_000,
            }],
        }
    }

    fn text(family: Family, format: Format, timestamps: bool) -> String {
        let mut out = String::new();
        write(&mut out, &[family], format, timestamps);
        out
    }

    #[test]
    fn a_counter_in_both_formats() {
        let counter = || family("run_seconds_total", FamilyKind::Counter, Value::Float(1.0));
        assert_eq!(
            text(counter(), Format::Text, false),
            "# HELP run_seconds_total What it \\\\ \"means\"\\nto us.\n# TYPE run_seconds_total counter\n\
             run_seconds_total{a=\"x\\\\y\\\"z\\n\"} 1\n"
        );
        assert_eq!(
            text(counter(), Format::OpenMetrics, true),
            "# HELP run_seconds What it \\\\ \\\"means\\\"\\nto us.\n# TYPE run_seconds counter\n# UNIT run_seconds seconds\n\
             run_seconds_total{a=\"x\\\\y\\\"z\\n\"} 1 1500000000.250\n\
             run_seconds_created{a=\"x\\\\y\\\"z\\n\"} 1400000000.000\n"
        );
        let bare = text(
            family("runs", FamilyKind::Counter, Value::Integer(-3)),
            Format::OpenMetrics,
            false,
        );
        assert!(
            bare.contains("# TYPE runs unknown\nruns{") && !bare.contains("_created"),
            "{bare}"
        );
    }

    #[test]
    fn a_histogram_in_both_formats() {
        let histogram = || {
            let mut family = family(
                "run_seconds",
                FamilyKind::Histogram,
                Value::Histogram(Classic {
                    buckets: vec![(0.5, 1), (1.0, 2)],
                    count: 4,
                    sum: Some(7.25),
                }),
            );
            family.series[0].labels.clear();
            family.help.clear();
            family
        };
        assert_eq!(
            text(histogram(), Format::Text, true),
            "# TYPE run_seconds histogram\nrun_seconds_bucket{le=\"0.5\"} 1 1500000000250\n\
             run_seconds_bucket{le=\"1\"} 2 1500000000250\nrun_seconds_bucket{le=\"+Inf\"} 4 1500000000250\n\
             run_seconds_sum 7.25 1500000000250\nrun_seconds_count 4 1500000000250\n"
        );
        let open = text(histogram(), Format::OpenMetrics, false);
        assert!(open.contains("run_seconds_bucket{le=\"1.0\"} 2\n"), "{open}");
        assert!(
            open.ends_with("run_seconds_count 4\nrun_seconds_created 1400000000.000\n"),
            "{open}"
        );
    }

    #[test]
    fn summaries_infos_and_strange_numbers() {
        let summary = Value::Summary {
            count: 2,
            sum: f64::NAN,
            quantiles: vec![(0.5, f64::INFINITY), (0.99, f64::NEG_INFINITY)],
        };
        let written = text(family("s", FamilyKind::Summary, summary), Format::Text, false);
        assert!(
            written.contains(",quantile=\"0.5\"} +Inf\n") && written.contains(",quantile=\"0.99\"} -Inf\n"),
            "{written}"
        );
        assert!(written.contains("s_sum{a=\"x\\\\y\\\"z\\n\"} NaN\n"), "{written}");
        let info = |format| {
            text(
                family("target_info", FamilyKind::Info, Value::Integer(1)),
                format,
                false,
            )
        };
        assert!(info(Format::Text).contains("# TYPE target_info gauge\ntarget_info{"));
        assert!(info(Format::OpenMetrics).contains("# TYPE target info\ntarget_info{"));
        let written = text(family("g", FamilyKind::Gauge, Value::Float(1e300)), Format::Text, false);
        assert!(written.ends_with(" 1e300\n"), "{written}");
    }
}
