//! Creating, updating, patching and deleting objects.

use super::managed_fields::{Manager, apply, track_update};
use super::query::Query;
use super::server::Shared;
use super::status::{Failure, details, with_type};
use crate::resource::Resource;
use crate::store::StoreError;
use crate::store::selector::Selection;
use serde_json::{Map, Value, json};

/// One writing request.
pub(crate) struct Writer<'a> {
    pub shared: &'a Shared,
    pub resource: Resource,
    /// Empty for cluster-scoped requests.
    pub namespace: &'a str,
    pub query: &'a Query,
    /// The time of the request, as objects carry it.
    pub time: &'a str,
    /// Whom the written fields belong to.
    pub manager: &'a str,
    pub content_type: &'a str,
    /// The request is for the `status` subresource.
    pub status_only: bool,
}

impl Writer<'_> {
    /// `POST`: the created object.
    pub fn create(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut object = self.read(body)?;
        let metadata = &mut object["metadata"];
        if let (Some(prefix), None) = (metadata["generateName"].as_str(), metadata["name"].as_str()) {
            metadata["name"] = format!("{prefix}{}", Shared::locked(&self.shared.ids).suffix()).into();
        }
        let name = self.settle(&mut object, None)?;
        track_update(None, &mut object, self.manager());
        self.store(&name, object, |store, object| store.create(self.resource, object))
    }

    /// `PUT`: the updated object.
    pub fn update(&self, name: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let object = self.read(body)?;
        if object["metadata"]["name"].as_str().is_some_and(|given| given != name) {
            let given = object["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Failure::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        self.replace(name, self.current(name)?, object)
    }

    /// `PATCH`: whether an apply created the object, and the object.
    pub fn patch(&self, name: &str, body: &[u8]) -> Result<(bool, Vec<u8>), Failure> {
        if self.content_type.starts_with("application/apply-patch") {
            return self.apply(name, body);
        }
        let current = self.current(name)?;
        let patch: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
        let content_type = self.content_type.split(';').next().unwrap_or_default();
        if !matches!(
            content_type,
            "application/merge-patch+json" | "application/strategic-merge-patch+json"
        ) {
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/merge-patch+json, application/strategic-merge-patch+json, \
                 application/apply-patch+yaml; found {content_type}"
            );
            return Err(Failure::new(415, "UnsupportedMediaType", message));
        }
        let mut object = current.clone();
        merge(&mut object, &patch);
        if patch["metadata"]["resourceVersion"].is_null()
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("resourceVersion");
        }
        Ok((false, self.replace(name, current, object)?))
    }

    /// `DELETE`: a `Status` that names what went, or the object if a finalizer still holds it.
    pub fn delete(&self, name: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut current = self.current(name)?;
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let preconditions = &options["preconditions"];
        for (key, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let (wanted, found) = (&preconditions[key], &current["metadata"][key]);
            if wanted.is_string() && wanted != found {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let message = format!(
                    "Operation cannot be fulfilled on {} \"{name}\": the {what} in the precondition ({}) does not match \
                     the {what} in record ({}). The object might have been deleted and then recreated",
                    self.resource.qualified(),
                    text(wanted),
                    text(found),
                );
                let details = Some(details(self.resource, Some(name)));
                return Err(Failure {
                    details,
                    ..Failure::new(409, "Conflict", message)
                });
            }
        }
        let held = current["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|finalizers| !finalizers.is_empty());
        if held {
            if current["metadata"]["deletionTimestamp"].is_null() {
                current["metadata"]["deletionTimestamp"] = self.time.into();
                current["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            }
            return self.store(name, current, |store, object| store.update(self.resource, object));
        }
        let last = self
            .shared
            .store
            .delete(self.resource, self.namespace, name)
            .map_err(|error| error.into_failure(self.resource, name))?;
        if self.resource == Resource::Jobs && options["propagationPolicy"] != "Orphan" {
            self.delete_pods_of(&last);
        }
        let mut details = details(self.resource, Some(name));
        details["uid"] = last["metadata"]["uid"].clone();
        let status = json!({"metadata": {}, "status": "Success", "details": details});
        Ok(format!("{}\n", with_type("Status", "v1", &status.to_string())).into_bytes())
    }

    /// What the garbage collector does after a Job is gone.
    fn delete_pods_of(&self, job: &Value) {
        let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
        let owned = format!("batch.kubernetes.io/controller-uid={uid}");
        let store = &self.shared.store;
        let Ok(selection) = Selection::parse(Resource::Pods, Some(self.namespace), Some(&owned), None) else {
            return;
        };
        let Ok(page) = store.page(Resource::Pods, &selection, None, None, None) else {
            return;
        };
        for pod in page.items {
            // Somebody else may have deleted it meanwhile.
            let _ = store.delete(Resource::Pods, pod.namespace(), pod.name());
        }
    }

    fn apply(&self, name: &str, body: &[u8]) -> Result<(bool, Vec<u8>), Failure> {
        if self.query.get("fieldManager").is_none() {
            let rule = "fieldManager is required for apply patch";
            return Err(Failure::new(
                422,
                "Invalid",
                format!("PatchOptions.meta.k8s.io \"\" is invalid: {rule}"),
            ));
        }
        let text = std::str::from_utf8(body).map_err(|error| unreadable(&error.to_string()))?;
        let mut config: Value = serde_yaml::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        if !config["metadata"].is_object() {
            config["metadata"] = json!({});
        }
        config["metadata"]["name"] = name.into();
        let Some(current) = self.shared.store.get(self.resource, self.namespace, name) else {
            let empty = json!({"metadata": {"name": name}});
            let mut object = apply(&empty, &config, self.manager(), true).unwrap_or(config);
            self.settle(&mut object, None)?;
            return Ok((
                true,
                self.store(name, object, |store, object| store.create(self.resource, object))?,
            ));
        };
        let new = apply(&current, &config, self.manager(), self.query.flag("force")).map_err(|conflicts| {
            let heading = match conflicts.as_slice() {
                [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
                many => {
                    let fields: Vec<String> = many.iter().map(|c| format!("{}: {}", c.message, c.field)).collect();
                    format!("Apply failed with {} conflicts: {}", many.len(), fields.join("\n- "))
                }
            };
            let causes: Vec<Value> = conflicts
                .iter()
                .map(|c| json!({"reason": "FieldManagerConflict", "message": c.message, "field": c.field}))
                .collect();
            Failure {
                details: Some(json!({"causes": causes})),
                ..Failure::new(409, "Conflict", heading)
            }
        })?;
        Ok((
            false,
            self.store(name, new, |store, object| store.update(self.resource, object))?,
        ))
    }

    fn replace(&self, name: &str, current: Value, mut object: Value) -> Result<Vec<u8>, Failure> {
        if self.status_only {
            let mut whole = current.clone();
            whole["status"] = object["status"].take();
            whole["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].take();
            object = whole;
        }
        self.settle(&mut object, Some(&current))?;
        track_update(Some(&current), &mut object, self.manager());
        if same(&current, &object) {
            // A write that changes nothing is not a new version; but it must not pass over one either.
            let read = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            if read.is_empty() || current["metadata"]["resourceVersion"] == read {
                return Ok(format!("{current}\n").into_bytes());
            }
        }
        self.store(name, object, |store, object| store.update(self.resource, object))
    }

    /// Fills in what the server decides about an object.
    fn settle(&self, object: &mut Value, current: Option<&Value>) -> Result<String, Failure> {
        let resource = self.resource;
        let metadata = object["metadata"]
            .as_object_mut()
            .ok_or_else(|| unreadable("metadata is missing"))?;
        if resource.namespaced() {
            if self.namespace.is_empty() {
                return Err(Failure::bad_request(
                    "an empty namespace may not be set during creation",
                ));
            }
            let given = metadata
                .get("namespace")
                .and_then(Value::as_str)
                .unwrap_or(self.namespace);
            if given != self.namespace {
                let message = "the namespace of the provided object does not match the namespace sent on the request";
                return Err(Failure::bad_request(message));
            }
            metadata.insert("namespace".into(), self.namespace.into());
        }
        let name = metadata
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if name.is_empty() {
            let message = format!(
                "{} \"\" is invalid: metadata.name: Required value: name or generateName is required",
                resource.kind()
            );
            return Err(Failure::new(422, "Invalid", message));
        }
        match current {
            Some(current) => {
                for key in ["uid", "creationTimestamp", "generation", "deletionTimestamp"] {
                    let kept = &current["metadata"][key];
                    if key == "uid" && metadata.get(key).is_some_and(|uid| uid.is_string() && uid != kept) {
                        let conflict = StoreError::Conflict(resource.qualified(), name.clone());
                        return Err(conflict.into_failure(resource, &name));
                    }
                    if !kept.is_null() {
                        metadata.insert(key.into(), kept.clone());
                    }
                }
                let spec_changed = current["spec"] != object["spec"];
                if let (true, Some(generation)) = (spec_changed, current["metadata"]["generation"].as_i64()) {
                    object["metadata"]["generation"] = (generation + 1).into();
                }
            }
            None => {
                metadata.remove("resourceVersion");
                metadata.insert("uid".into(), Shared::locked(&self.shared.ids).uid().into());
                metadata.insert("creationTimestamp".into(), self.time.into());
                if matches!(resource, Resource::Jobs | Resource::CronJobs | Resource::Pods) {
                    metadata.insert("generation".into(), 1.into());
                    if object["status"].is_null() {
                        object["status"] = json!({});
                    }
                }
            }
        }
        Ok(name)
    }

    fn store(
        &self,
        name: &str,
        object: Value,
        write: impl FnOnce(&crate::Store, Value) -> Result<u64, StoreError>,
    ) -> Result<Vec<u8>, Failure> {
        let mut answer = object.clone();
        if self.query.get("dryRun").is_none() {
            let version = write(&self.shared.store, object).map_err(|e| e.into_failure(self.resource, name))?;
            answer["metadata"]["resourceVersion"] = version.to_string().into();
        }
        if let Some(map) = answer.as_object_mut() {
            map.remove("kind");
            map.remove("apiVersion");
        }
        let answer = with_type(self.resource.kind(), self.resource.api_version(), &answer.to_string());
        Ok(format!("{answer}\n").into_bytes())
    }

    fn current(&self, name: &str) -> Result<Value, Failure> {
        let current = self.shared.store.get(self.resource, self.namespace, name);
        current.ok_or_else(|| Failure::not_found(self.resource, name))
    }

    fn read(&self, body: &[u8]) -> Result<Value, Failure> {
        if self.content_type.starts_with("application/vnd.kubernetes.protobuf") {
            let message = "the simulator reads application/json only, found application/vnd.kubernetes.protobuf";
            return Err(Failure::new(415, "UnsupportedMediaType", message));
        }
        let mut object: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
        let (kind, api_version) = (self.resource.kind(), self.resource.api_version());
        let fits = |key: &str, wanted: &str| object[key].is_null() || object[key] == wanted;
        if !object.is_object() || !fits("kind", kind) || !fits("apiVersion", api_version) {
            return Err(Failure::bad_request(format!(
                "{} in version {} cannot be handled as a {kind}: expected {api_version}, Kind={kind}",
                object["kind"], object["apiVersion"]
            )));
        }
        if !object["metadata"].is_object() {
            object["metadata"] = Value::Object(Map::new());
        }
        Ok(object)
    }

    fn manager(&self) -> Manager<'_> {
        Manager {
            name: self.manager,
            time: self.time,
            api_version: self.resource.api_version(),
        }
    }
}

fn unreadable(why: &str) -> Failure {
    Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type JSON): {why}"
    ))
}

fn same(left: &Value, right: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            metadata.remove("resourceVersion");
        }
        if let Some(map) = value.as_object_mut() {
            map.remove("kind");
            map.remove("apiVersion");
        }
        value
    };
    bare(left) == bare(right)
}

/// JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            if let Some(map) = target.as_object_mut() {
                map.remove(key);
            }
        } else {
            merge(&mut target[key.as_str()], value);
        }
    }
}
