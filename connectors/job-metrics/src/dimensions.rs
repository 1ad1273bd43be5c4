//! The attributes of points: those built in, and those that the settings add (`dimensions`) or leave out
//! (`exclude_dimensions`), as the Collector's `spanmetrics` does. Pure.

use collector_config::Dimension;
use job_event::attributes as attr;
use job_event::otlp::{find, text};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// The attributes that points have unless they are left out.
pub const BUILT_IN: [&str; 4] = [
    attr::POINT_REASON,
    attr::POINT_CAUSE,
    attr::POINT_CATEGORY,
    attr::POINT_OUTCOME,
];

/// Attributes of an event that differ for each Job, each Pod or each time, so that a series would have one point.
pub const UNBOUNDED: [&str; 12] = [
    attr::JOB_NAME,
    attr::JOB_UID,
    attr::POD_NAME,
    attr::POD_UID,
    attr::RECORD_UID,
    attr::TRACEPARENT,
    attr::START_TIME,
    attr::DECISION_TIME,
    attr::DURATION,
    attr::CRONJOB_SCHEDULED,
    attr::FAILURE_MESSAGE,
    attr::FAILED_INDEXES,
];

/// The attributes of the points of a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointAttributes {
    /// Attributes of the event, or else of its resource, that points have as well.
    pub dimensions: Vec<Dimension>,
    /// Those of [`BUILT_IN`] that points do not have.
    pub excluded: Vec<String>,
}

impl PointAttributes {
    /// The value of a built-in attribute; `None` if points do not have it.
    pub(crate) fn built_in<T>(&self, name: &str, value: impl FnOnce() -> T) -> Option<T> {
        let is_excluded = self.excluded.iter().any(|excluded| excluded == name);
        (!is_excluded).then(value)
    }

    /// The values of the dimensions in their order; empty without dimensions.
    pub(crate) fn values(&self, event: &[KeyValue], resource: &[KeyValue]) -> Vec<Option<String>> {
        let value = |dimension: &Dimension| {
            scalar(event, &dimension.name)
                .or_else(|| scalar(resource, &dimension.name))
                .or_else(|| dimension.default.clone())
        };
        self.dimensions.iter().map(value).collect()
    }

    /// The attributes with these values.
    pub(crate) fn with_values(&self, values: &[Option<String>]) -> Vec<KeyValue> {
        let attribute =
            |(dimension, value): (&Dimension, &Option<String>)| Some(text(&dimension.name, value.as_ref()?));
        self.dimensions.iter().zip(values).filter_map(attribute).collect()
    }
}

/// The text of a value that is not a list, a map or bytes.
fn scalar(attributes: &[KeyValue], name: &str) -> Option<String> {
    match find(attributes, name)?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        Value::BoolValue(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use job_event::otlp::{key_value, structure};

    use super::*;

    fn dimension(name: &str, default: Option<&str>) -> Dimension {
        Dimension {
            name: name.into(),
            default: default.map(str::to_owned),
        }
    }

    fn values(dimension: Dimension, event: &[KeyValue], resource: &[KeyValue]) -> Option<String> {
        let points = PointAttributes {
            dimensions: vec![dimension],
            ..Default::default()
        };
        points.values(event, resource).remove(0)
    }

    #[test]
    fn an_event_comes_before_its_resource_and_the_default() {
        let (event, resource) = ([text("team", "a")], [text("team", "b"), text("env", "prod")]);
        for (name, default, expected) in [
            ("team", Some("c"), Some("a")),
            ("env", Some("c"), Some("prod")),
            ("tier", Some("c"), Some("c")),
            ("tier", Some(""), Some("")),
            ("tier", None, None),
        ] {
            let found = values(dimension(name, default), &event, &resource);
            assert_eq!(found.as_deref(), expected, "{name} {default:?}");
        }
    }

    #[test]
    fn every_scalar_becomes_text_and_nothing_else() {
        for (value, expected) in [
            (key_value("x", Value::StringValue(String::new())), Some("")),
            (key_value("x", Value::IntValue(-7)), Some("-7")),
            (key_value("x", Value::DoubleValue(2.0)), Some("2")),
            (key_value("x", Value::DoubleValue(0.25)), Some("0.25")),
            (key_value("x", Value::BoolValue(true)), Some("true")),
            (key_value("x", Value::BytesValue(vec![1])), None),
            (structure("x", &["a"]), None),
        ] {
            let found = values(dimension("x", None), &[value], &[]);
            assert_eq!(found.as_deref(), expected);
        }
    }
}
