//! The forms an object is sent in: whole, only its metadata, or as rows of a table.

use super::table;
use crate::resource::{ChangeType, Resource};
use crate::store::Stored;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the `Accept` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Whole,
    Metadata,
    Table,
}

impl Format {
    /// The first form in the header that is known.
    pub fn from_accept(accept: &str) -> Format {
        for media in accept.split(',') {
            match media
                .split(';')
                .map(str::trim)
                .find_map(|part| part.strip_prefix("as="))
            {
                Some("Table") => return Format::Table,
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => return Format::Metadata,
                Some(_) => {}
                None => return Format::Whole,
            }
        }
        Format::Whole
    }

    /// One object, as `get` and watches send it.
    pub fn object(self, resource: Resource, object: &Stored, now: Timestamp) -> Vec<u8> {
        match self {
            Format::Whole => {
                let mut text = Vec::with_capacity(object.body.len() + 64);
                let start = format!(
                    "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",",
                    resource.kind(),
                    resource.api_version()
                );
                text.extend_from_slice(start.as_bytes());
                text.extend_from_slice(object.body.get(1..).unwrap_or_default());
                text
            }
            Format::Metadata => metadata_of(object).to_string().into_bytes(),
            Format::Table => {
                let metadata = json!({"resourceVersion": object.version.to_string()});
                table::table(resource, &metadata, std::iter::once(object), now)
                    .to_string()
                    .into_bytes()
            }
        }
    }

    /// A list.
    pub fn list(self, resource: Resource, metadata: &Value, items: &[Arc<Stored>], now: Timestamp) -> Vec<u8> {
        let (kind, api_version) = match self {
            Format::Whole => (format!("{}List", resource.kind()), resource.api_version()),
            Format::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1"),
            Format::Table => {
                let table = table::table(resource, metadata, items.iter().map(AsRef::as_ref), now);
                return format!("{table}\n").into_bytes();
            }
        };
        let start =
            format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[");
        let mut text = start.into_bytes();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            match self {
                Format::Metadata => text.extend_from_slice(metadata_of(item).to_string().as_bytes()),
                _ => text.extend_from_slice(&item.body),
            }
        }
        text.extend_from_slice(b"]}\n");
        text
    }

    /// One line of a watch.
    pub fn event(self, resource: Resource, kind: ChangeType, object: &Stored, now: Timestamp, line: &mut Vec<u8>) {
        line.extend_from_slice(format!("{{\"type\":\"{}\",\"object\":", kind.as_str()).as_bytes());
        line.extend_from_slice(&self.object(resource, object, now));
        line.extend_from_slice(b"}\n");
    }

    /// A bookmark: an empty object of the resource that carries only a version.
    pub fn bookmark(self, resource: Resource, version: u64, initial_events_end: bool) -> Vec<u8> {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let mut object = match self {
            Format::Whole => empty(resource),
            Format::Metadata => json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}),
            Format::Table => table::table(resource, &json!({}), std::iter::empty(), Timestamp::UNIX_EPOCH),
        };
        object["metadata"] = metadata;
        format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into_bytes()
    }
}

fn metadata_of(object: &Stored) -> Value {
    let whole: Value = serde_json::from_slice(&object.body).unwrap_or_default();
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": whole["metadata"]})
}

/// The zero value of a resource, with the fields Go writes even when they are empty.
fn empty(resource: Resource) -> Value {
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    let mut object = match resource {
        Resource::Jobs => json!({"spec": {"template": template}, "status": {}}),
        Resource::CronJobs => {
            let job = json!({"metadata": {}, "spec": {"template": template}});
            json!({"spec": {"schedule": "", "jobTemplate": job}, "status": {}})
        }
        Resource::Pods => json!({"spec": {"containers": null}, "status": {}}),
        Resource::Events => json!({
            "involvedObject": {},
            "source": {},
            "firstTimestamp": null,
            "lastTimestamp": null,
            "eventTime": null,
            "reportingComponent": "",
            "reportingInstance": "",
        }),
        Resource::Nodes | Resource::Namespaces => json!({"spec": {}, "status": {}}),
        Resource::Leases => json!({"spec": {}}),
        Resource::ConfigMaps => json!({}),
    };
    object["kind"] = resource.kind().into();
    object["apiVersion"] = resource.api_version().into();
    object
}
