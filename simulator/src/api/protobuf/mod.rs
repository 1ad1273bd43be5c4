//! Objects in `application/vnd.kubernetes.protobuf`. Written for the simulator alone, from the same sources as the decoder
//! that it tests, so that an error in one shows in the other.

mod fields;

use super::error::ApiError;
use crate::resource::Resource;
use crate::store::StoredObject;
use fields::{ProtobufField, ProtobufForm};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// The media type of one object or list.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// The media type of a watch.
pub(crate) const WATCH: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// The first bytes of an object.
const PREFIX: &[u8] = b"k8s\0";
const VARINT: u32 = 0;
const BYTES: u32 = 2;

/// The fields of a resource's objects, if the simulator serves them in protobuf.
fn fields(resource: Resource) -> Option<&'static [ProtobufField]> {
    match resource {
        Resource::Jobs => Some(fields::JOB),
        Resource::CronJobs => Some(fields::CRON_JOB),
        Resource::Pods => Some(fields::POD),
        Resource::Events => Some(fields::EVENT),
        Resource::Namespaces => Some(fields::NAMESPACE),
        Resource::Nodes | Resource::Leases | Resource::ConfigMaps => None,
    }
}

/// True if objects of the resource are served in protobuf.
pub(crate) fn serves(resource: Resource) -> bool {
    fields(resource).is_some()
}

/// One object.
pub(crate) fn object(resource: Resource, object: &StoredObject) -> Vec<u8> {
    unknown(resource.kind(), resource.api_version(), message_of(resource, object))
}

/// One object that is not stored.
pub(crate) fn other_object(resource: Resource, object: &Value) -> Vec<u8> {
    let message = message(object, fields(resource).unwrap_or_default());
    unknown(resource.kind(), resource.api_version(), &message)
}

fn message_of(resource: Resource, object: &StoredObject) -> &[u8] {
    object.message(|object| message(object, fields(resource).unwrap_or_default()))
}

/// A list.
pub(crate) fn list(resource: Resource, metadata: &Value, items: &[Arc<StoredObject>]) -> Vec<u8> {
    let mut list = Vec::new();
    bytes(1, &message(metadata, fields::LIST_METADATA), &mut list);
    for item in items {
        bytes(2, message_of(resource, item), &mut list);
    }
    unknown(&format!("{}List", resource.kind()), resource.api_version(), &list)
}

/// An error.
pub(crate) fn status(error: &ApiError) -> Vec<u8> {
    let status: Value = serde_json::from_str(&error.to_json()).unwrap_or_default();
    unknown("Status", "v1", &message(&status, fields::STATUS))
}

/// A frame of a watch, with an object or a `Status` that is in protobuf.
pub(crate) fn frame(kind: &str, object: &[u8]) -> Vec<u8> {
    let (mut event, mut raw) = (Vec::new(), Vec::new());
    bytes(1, object, &mut raw);
    bytes(1, kind.as_bytes(), &mut event);
    bytes(2, &raw, &mut event);
    let mut frame = u32::try_from(event.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    frame.extend_from_slice(&event);
    frame
}

/// A message `Unknown`: the type of an object, and the object.
fn unknown(kind: &str, api_version: &str, object: &[u8]) -> Vec<u8> {
    let mut type_meta = Vec::new();
    bytes(1, api_version.as_bytes(), &mut type_meta);
    bytes(2, kind.as_bytes(), &mut type_meta);
    let mut unknown = PREFIX.to_vec();
    bytes(1, &type_meta, &mut unknown);
    bytes(2, object, &mut unknown);
    bytes(3, b"", &mut unknown);
    bytes(4, b"", &mut unknown);
    unknown
}

fn message(object: &Value, fields: &[ProtobufField]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let value = &object[field.name];
        if !(field.is_pointer && value.is_null()) {
            write(field, value, &mut out);
        }
    }
    out
}

/// Writes a field; `null` is the zero value of its form.
fn write(field: &ProtobufField, value: &Value, out: &mut Vec<u8>) {
    let number = field.number;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = value.as_array().into_iter().flatten();
    let entries = value.as_object().into_iter().flatten();
    match field.form {
        ProtobufForm::Text => bytes(number, text(value).as_bytes(), out),
        ProtobufForm::Int => varint(number, value.as_i64().unwrap_or_default(), out),
        ProtobufForm::Bool => varint(number, i64::from(value.as_bool().unwrap_or_default()), out),
        ProtobufForm::Time => bytes(number, &time(value, |_| 0), out),
        ProtobufForm::MicroTime => bytes(number, &time(value, |nanos| nanos - nanos % 1000), out),
        ProtobufForm::Json => {
            let mut raw = Vec::new();
            bytes(1, value.to_string().as_bytes(), &mut raw);
            bytes(number, &raw, out);
        }
        ProtobufForm::Texts => items.for_each(|item| bytes(number, text(item).as_bytes(), out)),
        ProtobufForm::Pairs => {
            for (key, value) in entries {
                let mut entry = Vec::new();
                bytes(1, key.as_bytes(), &mut entry);
                bytes(2, text(value).as_bytes(), &mut entry);
                bytes(number, &entry, out);
            }
        }
        ProtobufForm::Quantities => {
            for (key, value) in entries {
                let (mut entry, mut quantity) = (Vec::new(), Vec::new());
                bytes(1, text(value).as_bytes(), &mut quantity);
                bytes(1, key.as_bytes(), &mut entry);
                bytes(2, &quantity, &mut entry);
                bytes(number, &entry, out);
            }
        }
        ProtobufForm::One(fields) => bytes(number, &message(value, fields), out),
        ProtobufForm::Many(fields) => items.for_each(|item| bytes(number, &message(item, fields), out)),
    }
}

/// A time; the zero time is an empty message.
fn time(value: &Value, nanos: impl Fn(i32) -> i32) -> Vec<u8> {
    let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(time) = time else { return Vec::new() };
    let mut out = Vec::new();
    // Never negative in protobuf: they count forward from the second before.
    let (seconds, fraction) = match time.subsec_nanosecond() {
        before if before < 0 => (time.as_second() - 1, before + 1_000_000_000),
        after => (time.as_second(), after),
    };
    varint(1, seconds, &mut out);
    varint(2, i64::from(nanos(fraction)), &mut out);
    out
}

fn bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    digits(u64::from(number << 3 | BYTES), out);
    digits(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn varint(number: u32, value: i64, out: &mut Vec<u8>) {
    digits(u64::from(number << 3 | VARINT), out);
    digits(value.cast_unsigned(), out);
}

fn digits(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
