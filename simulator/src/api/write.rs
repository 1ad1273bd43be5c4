//! Creating and replacing objects.

use super::error::{ApiError, with_type};
use super::event;
use super::server::ServerState;
use crate::locked;
use crate::resource::Resource;
use crate::store::StoreError;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A request that writes.
pub(crate) struct ObjectWriter<'a> {
    pub(crate) state: &'a ServerState,
    pub(crate) resource: Resource,
    /// Empty for cluster-scoped requests.
    pub(crate) namespace: &'a str,
    /// The time of the request.
    pub(crate) now: Timestamp,
}

impl ObjectWriter<'_> {
    /// `POST`: the created object.
    pub(crate) fn create(&self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let mut object = self.read(body)?;
        let name = self.name(&mut object)?;
        if self.resource == Resource::Events {
            event::admit(self.state, &name, self.namespace)?;
            event::check(&name, &object)?;
        }
        let metadata = &mut object["metadata"];
        metadata["uid"] = locked(&self.state.ids).uid().into();
        metadata["creationTimestamp"] = self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        let written = self.state.store.create(self.resource, object.clone());
        self.written(&name, object, written)
    }

    /// `PUT`: the updated object.
    pub(crate) fn update(&self, name: &str, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        let mut object = self.read(body)?;
        let given = object["metadata"]["name"].as_str().unwrap_or_default();
        if given != name {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        let current = self.state.store.get(self.resource, self.namespace, name);
        let current = current.ok_or_else(|| ApiError::not_found(self.resource, name))?;
        self.name(&mut object)?;
        let metadata = &mut object["metadata"];
        let uid = &current["metadata"]["uid"];
        if metadata["uid"].is_string() && metadata["uid"] != *uid {
            let conflict = StoreError::Conflict(self.resource.qualified(), name.to_owned());
            return Err(conflict.into_api_error(self.resource, name));
        }
        metadata["uid"] = uid.clone();
        metadata["creationTimestamp"] = current["metadata"]["creationTimestamp"].clone();
        let written = self.state.store.update(self.resource, object.clone());
        self.written(name, object, written)
    }

    /// Reads an object of the resource.
    fn read(&self, body: &[u8]) -> Result<Value, ApiError> {
        let mut object: Value = serde_json::from_slice(body).map_err(|error| {
            ApiError::bad_request(format!(
                "the object provided is unrecognized (must be of type JSON): {error}"
            ))
        })?;
        let (kind, api_version) = (self.resource.kind(), self.resource.api_version());
        let fits = |key: &str, expected: &str| object[key].is_null() || object[key] == expected;
        if !object.is_object() || !fits("kind", kind) || !fits("apiVersion", api_version) {
            return Err(ApiError::bad_request(format!(
                "{} in version {} cannot be handled as a {kind}: expected {api_version}, Kind={kind}",
                object["kind"], object["apiVersion"]
            )));
        }
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        Ok(object)
    }

    /// The object's name; sets its namespace to that of the request.
    fn name(&self, object: &mut Value) -> Result<String, ApiError> {
        let metadata = &mut object["metadata"];
        if self.resource.namespaced() {
            if self.namespace.is_empty() {
                let message = "an empty namespace may not be set during creation";
                return Err(ApiError::bad_request(message));
            }
            if metadata["namespace"]
                .as_str()
                .is_some_and(|given| given != self.namespace)
            {
                let message = "the namespace of the provided object does not match the namespace sent on the request";
                return Err(ApiError::bad_request(message));
            }
            metadata["namespace"] = self.namespace.into();
        }
        let name = metadata["name"].as_str().filter(|name| !name.is_empty());
        name.map(str::to_owned).ok_or_else(|| {
            let kind = self.resource.kind();
            let message = format!("{kind} \"\" is invalid: metadata.name: Required value: name is required");
            ApiError::new(422, "Invalid", message)
        })
    }

    /// The answer to a write.
    fn written(&self, name: &str, mut object: Value, version: Result<u64, StoreError>) -> Result<Vec<u8>, ApiError> {
        let version = version.map_err(|error| error.into_api_error(self.resource, name))?;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        if let Some(map) = object.as_object_mut() {
            map.remove("kind");
            map.remove("apiVersion");
        }
        let object = with_type(self.resource.kind(), self.resource.api_version(), &object.to_string());
        Ok(format!("{object}\n").into_bytes())
    }
}
