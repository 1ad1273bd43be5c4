//! Attributes of resources, scopes and points as labels.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};

use super::{Labels, name};

/// Labels by name. Attributes whose names become the same label are joined: their values in the order of their own names,
/// with `;` in between, as the specification says.
#[derive(Clone, Default)]
pub(crate) struct Merged(BTreeMap<String, Vec<(String, String)>>);

impl Merged {
    pub(crate) fn add(&mut self, key: &str, value: String) {
        let values = self.0.entry(name::label(key)).or_default();
        // The attribute of a point replaces that of its resource.
        values.retain(|(known, _)| known != key);
        values.push((key.to_owned(), value));
    }

    pub(crate) fn add_job(&mut self, job: Option<String>, namespace: Option<String>, instance: Option<String>) {
        let job = match (job, namespace) {
            (Some(job), Some(namespace)) if !namespace.is_empty() => Some(format!("{namespace}/{job}")),
            (job, _) => job,
        };
        for (label, value) in [("job", job), ("instance", instance)] {
            if let Some(value) = value {
                self.0.insert(label.into(), vec![(label.into(), value)]);
            }
        }
    }

    pub(crate) fn into_labels(self) -> Labels {
        let labels = self.0.into_iter().map(|(name, mut values)| {
            values.sort();
            let values: Vec<String> = values.into_iter().map(|(_, value)| value).collect();
            (name, values.join(";"))
        });
        // An empty label is the same as a missing one.
        labels.filter(|(_, value)| !value.is_empty()).collect()
    }
}

pub(crate) fn scope_labels(labels: &mut Merged, scope: Option<&InstrumentationScope>, schema_url: &str) {
    if let Some(scope) = scope {
        for attribute in &scope.attributes {
            labels.add(&format!("otel_scope_{}", attribute.key), text(attribute));
        }
        labels.add("otel_scope_name", scope.name.clone());
        labels.add("otel_scope_version", scope.version.clone());
    }
    labels.add("otel_scope_schema_url", schema_url.to_owned());
}

pub(crate) fn text(attribute: &KeyValue) -> String {
    attribute
        .value
        .as_ref()
        .and_then(|value| value.value.as_ref())
        .map(of_value)
        .unwrap_or_default()
}

fn of_value(value: &AnyValue) -> String {
    match value {
        AnyValue::StringValue(text) => text.clone(),
        AnyValue::BoolValue(value) => value.to_string(),
        AnyValue::IntValue(value) => value.to_string(),
        AnyValue::DoubleValue(value) => value.to_string(),
        AnyValue::ArrayValue(values) => {
            let values = values.values.iter().map(|value| value.value.as_ref().map(of_value));
            values.map(Option::unwrap_or_default).collect::<Vec<_>>().join(",")
        }
        AnyValue::KvlistValue(pairs) => {
            let pairs = pairs.values.iter().map(|pair| format!("{}={}", pair.key, text(pair)));
            pairs.collect::<Vec<_>>().join(",")
        }
        AnyValue::BytesValue(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        // An index into a table that only profiles have.
        AnyValue::StringValueStrindex(index) => index.to_string(),
    }
}
