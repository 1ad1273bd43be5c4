//! One version of an object: its JSON, and the few fields that selectors test.

use crate::resource::Resource;
use bytes::Bytes;
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// One version of an object, shared by the store and its window of changes.
#[derive(Debug)]
pub(crate) struct StoredObject {
    /// `namespace/name`, or the name alone; the order of lists is the order of these keys.
    pub key: Box<str>,
    /// The resource version of this version.
    pub version: u64,
    /// The object as JSON, without `kind` and `apiVersion` (lists omit them, everything else puts them in front).
    pub body: Bytes,
    pub labels: Pairs,
    /// The values of the field selectors this resource supports, `metadata.*` aside.
    pub fields: Pairs,
    /// See [`StoredObject::message`].
    message: OnceLock<Bytes>,
}

impl StoredObject {
    /// Stamps `version` into an object.
    pub(crate) fn new(resource: Resource, key: Box<str>, mut object: Value, version: u64) -> Arc<StoredObject> {
        if let Some(map) = object.as_object_mut() {
            map.remove("kind");
            map.remove("apiVersion");
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), Value::String(version.to_string()));
        }
        let labels = object["metadata"]["labels"].as_object();
        let labels = Pairs::new(
            labels
                .into_iter()
                .flatten()
                .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))),
        );
        let fields = selectable_fields(resource);
        let values: Vec<(&str, String)> = fields.iter().map(|path| (*path, field_text(&object, path))).collect();
        let fields = Pairs::new(
            values
                .iter()
                .filter(|(_, v)| !v.is_empty())
                .map(|(k, v)| (*k, v.as_str())),
        );
        Arc::new(StoredObject {
            key,
            version,
            body: serde_json::to_vec(&object).unwrap_or_default().into(),
            labels,
            fields,
            message: OnceLock::new(),
        })
    }

    /// The namespace; empty for cluster-scoped objects.
    pub(crate) fn namespace(&self) -> &str {
        self.key.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        self.key.split_once('/').map_or(&self.key, |(_, name)| name)
    }

    /// The object as a message of protobuf, which `encode` makes once for all lists and watches.
    pub(crate) fn message(&self, encode: impl FnOnce(&Value) -> Vec<u8>) -> &[u8] {
        self.message
            .get_or_init(|| encode(&serde_json::from_slice(&self.body).unwrap_or_default()).into())
    }

    /// The object as a tree, with `kind` and `apiVersion`.
    pub(crate) fn to_value(&self, resource: Resource) -> Value {
        let mut value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.insert("kind".into(), resource.kind().into());
            map.insert("apiVersion".into(), resource.api_version().into());
        }
        value
    }

    /// The same object under another resource version, as watches send objects that left a selection.
    pub(crate) fn restamped(&self, resource: Resource, version: u64) -> Arc<StoredObject> {
        StoredObject::new(resource, self.key.clone(), self.to_value(resource), version)
    }
}

/// The fields, besides `metadata.name` and `metadata.namespace`, that a field selector may name.
/// Source: the registries of the Kubernetes API server (`pkg/registry/*/strategy.go`, `pkg/apis/*/v1/conversion.go`).
pub(crate) fn selectable_fields(resource: Resource) -> &'static [&'static str] {
    match resource {
        Resource::Jobs => &["status.successful"],
        Resource::Pods => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        Resource::Events => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        Resource::Nodes => &["spec.unschedulable"],
        Resource::Namespaces => &["status.phase"],
        Resource::CronJobs | Resource::Leases | Resource::ConfigMaps => &[],
    }
}

fn field_text(object: &Value, path: &str) -> String {
    // The names of two fields are not their paths in the object.
    match path {
        "status.successful" => return object["status"]["succeeded"].as_i64().unwrap_or(0).to_string(),
        "source" => return object["source"]["component"].as_str().unwrap_or_default().to_owned(),
        _ => {}
    }
    match path.split('.').fold(object, |value, key| &value[key]) {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A small map of strings in one allocation: a cluster of 100,000 Jobs holds very many of these.
#[derive(Debug, Default)]
pub(crate) struct Pairs(Box<str>);

impl Pairs {
    pub(crate) fn new<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Pairs {
        let mut text = String::new();
        for (key, value) in pairs {
            for part in [key, value] {
                text.extend(part.split('\0'));
                text.push('\0');
            }
        }
        Pairs(text.into_boxed_str())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut parts = self.0.split_terminator('\0');
        while let (Some(k), Some(v)) = (parts.next(), parts.next()) {
            if k == key {
                return Some(v);
            }
        }
        None
    }
}
