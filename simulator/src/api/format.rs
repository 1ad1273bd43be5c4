//! The forms an object is sent in: whole, in JSON or protobuf, or as rows of a table for `kubectl`.

use super::error::ApiError;
use super::{protobuf, table};
use crate::resource::{ChangeType, Resource};
use crate::store::StoredObject;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The form that the `Accept` header requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectFormat {
    Whole,
    Table,
    Protobuf,
}

impl ObjectFormat {
    /// The first form in the header that is known; protobuf only where it is served.
    pub(crate) fn from_accept(accept: &str, serves_protobuf: bool) -> ObjectFormat {
        for media in accept.split(',') {
            let mut parameters = media.split(';').map(str::trim);
            if parameters.next() == Some(protobuf::MEDIA_TYPE) {
                match serves_protobuf && !media.contains("as=") {
                    true => return ObjectFormat::Protobuf,
                    false => continue,
                }
            }
            match parameters.find_map(|part| part.strip_prefix("as=")) {
                Some("Table") => return ObjectFormat::Table,
                Some(_) => {}
                None => return ObjectFormat::Whole,
            }
        }
        ObjectFormat::Whole
    }

    /// One object, as `get` and watches send it.
    pub(crate) fn object(self, resource: Resource, object: &StoredObject, now: Timestamp) -> Vec<u8> {
        if self == ObjectFormat::Table {
            let metadata = json!({"resourceVersion": object.version.to_string()});
            if let Some(table) = table::table(resource, &metadata, std::iter::once(object), now) {
                return table.to_string().into_bytes();
            }
        }
        if self == ObjectFormat::Protobuf {
            return protobuf::object(resource, object);
        }
        let (kind, api_version) = (resource.kind(), resource.api_version());
        let mut text = format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",").into_bytes();
        text.extend_from_slice(object.body.get(1..).unwrap_or_default());
        text
    }

    /// A list.
    pub(crate) fn list(
        self,
        resource: Resource,
        metadata: &Value,
        items: &[Arc<StoredObject>],
        now: Timestamp,
    ) -> Vec<u8> {
        if self == ObjectFormat::Table {
            let objects = items.iter().map(AsRef::as_ref);
            if let Some(table) = table::table(resource, metadata, objects, now) {
                return format!("{table}\n").into_bytes();
            }
        }
        if self == ObjectFormat::Protobuf {
            return protobuf::list(resource, metadata, items);
        }
        let (kind, api_version) = (resource.kind(), resource.api_version());
        let start =
            format!("{{\"kind\":\"{kind}List\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[");
        let mut text = start.into_bytes();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&item.body);
        }
        text.extend_from_slice(b"]}\n");
        text
    }

    /// Appends one line of a watch.
    pub(crate) fn event(
        self,
        resource: Resource,
        change: ChangeType,
        object: &StoredObject,
        now: Timestamp,
        lines: &mut Vec<u8>,
    ) {
        self.line(change.as_str(), &self.object(resource, object, now), lines);
    }

    /// Appends one line, or frame, with an object that has its form already.
    fn line(self, kind: &str, object: &[u8], lines: &mut Vec<u8>) {
        if self == ObjectFormat::Protobuf {
            return lines.extend_from_slice(&protobuf::frame(kind, object));
        }
        lines.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":").as_bytes());
        lines.extend_from_slice(object);
        lines.extend_from_slice(b"}\n");
    }

    /// A bookmark: an empty object of the resource that carries only a version, and whether it ends a streaming list.
    pub(crate) fn bookmark(self, resource: Resource, version: u64, ends_list: bool) -> Vec<u8> {
        let mut object = empty(resource);
        object["kind"] = resource.kind().into();
        object["apiVersion"] = resource.api_version().into();
        object["metadata"] = json!({"resourceVersion": version.to_string()});
        if ends_list {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self {
            ObjectFormat::Protobuf => protobuf::other_object(resource, &object),
            ObjectFormat::Whole | ObjectFormat::Table => object.to_string().into_bytes(),
        };
        let mut line = Vec::new();
        self.line("BOOKMARK", &object, &mut line);
        line
    }

    /// An error in a watch.
    pub(crate) fn error(self, error: &ApiError) -> Vec<u8> {
        let mut line = Vec::new();
        self.line("ERROR", &self.status(error), &mut line);
        line
    }

    /// An error as the body of a response.
    pub(crate) fn status(self, error: &ApiError) -> Vec<u8> {
        match self {
            ObjectFormat::Protobuf => protobuf::status(error),
            ObjectFormat::Whole | ObjectFormat::Table => error.to_json().into_bytes(),
        }
    }

    /// The first half of a line or frame; its last byte is the first half of a two-byte character.
    pub(crate) fn half_a_line(self) -> &'static [u8] {
        match self {
            ObjectFormat::Protobuf => b"\0\0\x02\0\x0a\x08MODIFIED\x12\xf3\x03\x0a\xf0\x03k8s\0\x0a\xc3",
            ObjectFormat::Whole | ObjectFormat::Table => {
                b"{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Job\",\"metadata\":{\"name\":\"\xc3"
            }
        }
    }

    /// The media type of an object, a list or an error.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            ObjectFormat::Protobuf => protobuf::MEDIA_TYPE,
            ObjectFormat::Whole | ObjectFormat::Table => "application/json",
        }
    }

    /// The media type of a watch.
    pub(crate) fn watch_media_type(self) -> &'static str {
        match self {
            ObjectFormat::Protobuf => protobuf::WATCH,
            ObjectFormat::Whole | ObjectFormat::Table => "application/json",
        }
    }
}

/// The zero value of a resource, with the fields Go writes even when they are empty.
fn empty(resource: Resource) -> Value {
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    match resource {
        Resource::Jobs => json!({"spec": {"template": template}, "status": {}}),
        Resource::CronJobs => {
            let job = json!({"metadata": {}, "spec": {"template": template}});
            json!({"spec": {"schedule": "", "jobTemplate": job}, "status": {}})
        }
        Resource::Pods => json!({"spec": {"containers": null}, "status": {}}),
        Resource::Events => json!({
            "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
            "reportingComponent": "", "reportingInstance": "",
        }),
        Resource::Nodes | Resource::Namespaces => json!({"spec": {}, "status": {}}),
        Resource::Leases => json!({"spec": {}}),
        Resource::ConfigMaps => json!({}),
    }
}
