//! Enumerations: words in upper case that stand for the numbers of OTLP.

use std::ops::Range;

use crate::{Context, ParseError};

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

const METRIC: &[(&str, i64)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
    ("METRIC_DATA_TYPE_NONE", 0),
    ("METRIC_DATA_TYPE_GAUGE", 1),
    ("METRIC_DATA_TYPE_SUM", 2),
    ("METRIC_DATA_TYPE_HISTOGRAM", 3),
    ("METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM", 4),
    ("METRIC_DATA_TYPE_SUMMARY", 5),
];

const POINT: &[(&str, i64)] = &[("FLAG_NONE", 0), ("FLAG_NO_RECORDED_VALUE", 1)];

const SPAN: &[(&str, i64)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];

/// The enumerations of a context.
pub(crate) fn of(context: Context) -> Vec<(String, i64)> {
    let table = |table: &[(&str, i64)]| {
        table
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect::<Vec<_>>()
    };
    match context {
        Context::Resource | Context::Scope => Vec::new(),
        Context::Log => severities(),
        Context::Metric => table(METRIC),
        Context::DataPoint => [table(METRIC), table(POINT)].concat(),
        Context::Span => table(SPAN),
    }
}

/// `SEVERITY_NUMBER_TRACE` is 1, `SEVERITY_NUMBER_TRACE2` is 2, and so on to `SEVERITY_NUMBER_FATAL4`, 24.
fn severities() -> Vec<(String, i64)> {
    let mut severities = vec![("SEVERITY_NUMBER_UNSPECIFIED".to_owned(), 0)];
    for (level, value) in LEVELS.iter().zip((1..).step_by(4)) {
        severities.push((format!("SEVERITY_NUMBER_{level}"), value));
        severities.extend((2..=4).map(|step| (format!("SEVERITY_NUMBER_{level}{step}"), value + step - 1)));
    }
    severities
}

/// The number that a word stands for.
pub(crate) fn value_of(name: &str, context: Context, range: Range<usize>) -> Result<i64, ParseError> {
    let known = of(context);
    if let Some((_, value)) = known.iter().find(|(known, _)| known == name) {
        return Ok(*value);
    }
    let error = ParseError::new(
        range,
        format!("unknown enumeration `{name}` in the context `{context}`"),
    );
    let nearest = collector_config::nearest(name, known.iter().map(|(known, _)| known.as_str()));
    Err(match nearest {
        Some(nearest) => error.help(format!("did you mean `{nearest}`?")),
        None if known.is_empty() => error.help("this context has no enumerations"),
        None => error.help("strings are written in double quotes, and a function is called with parentheses"),
    })
}
