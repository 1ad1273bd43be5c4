//! The identity of a series: resource, scope, metric and attributes, as bytes that are equal for equal series.
//!
//! The order of attributes does not matter. Descriptions and schema URLs do not identify anything (OpenTelemetry
//! metrics data model, "Timeseries Model").

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

pub(super) fn of_resource(resource: Option<&Resource>) -> Vec<u8> {
    resource.map_or_else(Vec::new, |resource| of_attributes(&resource.attributes))
}

pub(super) fn of_scope(resource: &[u8], scope: Option<&InstrumentationScope>) -> Vec<u8> {
    let mut key = Vec::with_capacity(resource.len() + 64);
    part(&mut key, resource);
    if let Some(scope) = scope {
        part(&mut key, scope.name.as_bytes());
        part(&mut key, scope.version.as_bytes());
        part(&mut key, &of_attributes(&scope.attributes));
    }
    key
}

/// `kind` distinguishes sums and the two kinds of histograms.
pub(super) fn of_metric(scope: &[u8], name: &str, unit: &str, kind: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(scope.len() + name.len() + unit.len() + 32);
    key.push(kind);
    part(&mut key, scope);
    part(&mut key, name.as_bytes());
    part(&mut key, unit.as_bytes());
    key
}

pub(super) fn of_attributes(attributes: &[KeyValue]) -> Vec<u8> {
    let mut sorted: Vec<&KeyValue> = attributes.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut key = Vec::with_capacity(sorted.iter().map(|pair| pair.encoded_len() + 2).sum());
    for pair in sorted {
        // A vector grows, so writing to it cannot fail.
        let _ = pair.encode_length_delimited(&mut key);
    }
    key
}

/// With its length before it, so that no two lists of parts are the same bytes.
fn part(key: &mut Vec<u8>, bytes: &[u8]) {
    key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    key.extend_from_slice(bytes);
}
