//! The forms an object is sent in: whole, or as rows of a table for `kubectl`.

use super::table;
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
}

impl ObjectFormat {
    /// The first form in the header that is known.
    pub(crate) fn from_accept(accept: &str) -> ObjectFormat {
        for media in accept.split(',') {
            let mut parameters = media.split(';').map(str::trim);
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
        lines.extend_from_slice(format!("{{\"type\":\"{}\",\"object\":", change.as_str()).as_bytes());
        lines.extend_from_slice(&self.object(resource, object, now));
        lines.extend_from_slice(b"}\n");
    }
}

/// A bookmark: an empty object of the resource that carries only a version, and whether it ends a streaming list.
pub(crate) fn bookmark(resource: Resource, version: u64, ends_list: bool) -> Vec<u8> {
    let mut object = empty(resource);
    object["kind"] = resource.kind().into();
    object["apiVersion"] = resource.api_version().into();
    object["metadata"] = json!({"resourceVersion": version.to_string()});
    if ends_list {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    format!("{}\n", json!({"type": "BOOKMARK", "object": object})).into_bytes()
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
