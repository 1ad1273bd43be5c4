//! Who owns which field: enough of server-side apply for Leases and ConfigMaps. Lists are owned as a whole.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The way to a field: the keys from the top of the object.
type Path = Vec<String>;

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug)]
struct Owner {
    manager: String,
    operation: String,
    api_version: String,
    time: String,
    fields: BTreeSet<Path>,
}

/// A field another manager owns and the applied configuration would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldConflict {
    /// `conflict with "manager" using group/version`.
    pub message: String,
    /// `.spec.holderIdentity`.
    pub field: String,
}

/// Who writes, when, and which version of the API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manager<'a> {
    pub name: &'a str,
    pub time: &'a str,
    pub api_version: &'a str,
}

/// Gives the fields that `new` sets or changes to the manager, and writes that into `new`.
pub(crate) fn track_update(old: Option<&Value>, new: &mut Value, manager: Manager<'_>) {
    let mut owners = old.map(owners).unwrap_or_default();
    let now = leaves(new);
    let changed: BTreeSet<Path> = now
        .iter()
        .filter(|path| old.is_none_or(|old| at(old, path) != at(new, path)))
        .cloned()
        .collect();
    for owner in &mut owners {
        owner
            .fields
            .retain(|path| now.contains(path) && !changed.contains(path));
    }
    if !changed.is_empty() {
        own(&mut owners, manager, "Update", changed);
    }
    write(new, owners);
}

/// Applies a configuration to what is there. Without `force`, fields of other managers that it would change are conflicts.
pub(crate) fn apply(
    old: &Value,
    config: &Value,
    manager: Manager<'_>,
    force: bool,
) -> Result<Value, Vec<FieldConflict>> {
    let mut owners = owners(old);
    let wanted = leaves(config);
    let others = |owner: &&mut Owner| owner.manager != manager.name || owner.operation != "Apply";
    let mut conflicts = Vec::new();
    for owner in owners.iter_mut().filter(others) {
        let taken: Vec<Path> = owner
            .fields
            .iter()
            .filter(|path| wanted.contains(*path) && at(old, path) != at(config, path))
            .cloned()
            .collect();
        for path in taken {
            conflicts.push(FieldConflict {
                message: format!("conflict with \"{}\" using {}", owner.manager, owner.api_version),
                field: format!(".{}", path.join(".")),
            });
            owner.fields.remove(&path);
        }
    }
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    let mut new = old.clone();
    let mine = |owner: &&Owner| owner.manager == manager.name && owner.operation == "Apply";
    let before = owners
        .iter()
        .find(mine)
        .map(|owner| owner.fields.clone())
        .unwrap_or_default();
    for path in before.difference(&wanted) {
        let shared = owners.iter().any(|owner| !mine(&owner) && owner.fields.contains(path));
        if !shared {
            remove(&mut new, path);
        }
    }
    for path in &wanted {
        if let Some(value) = at(config, path) {
            set(&mut new, path, value.clone());
        }
    }
    owners.retain(|owner| !mine(&owner));
    own(&mut owners, manager, "Apply", wanted);
    write(&mut new, owners);
    Ok(new)
}

fn own(owners: &mut Vec<Owner>, manager: Manager<'_>, operation: &str, fields: BTreeSet<Path>) {
    let mut entry = Owner {
        manager: manager.name.to_owned(),
        operation: operation.to_owned(),
        api_version: manager.api_version.to_owned(),
        time: manager.time.to_owned(),
        fields,
    };
    if let Some(index) = owners
        .iter()
        .position(|o| o.manager == manager.name && o.operation == operation)
    {
        entry.fields.extend(owners.remove(index).fields);
    }
    // Applied configurations stand first.
    let index = if operation == "Apply" { 0 } else { owners.len() };
    owners.insert(index, entry);
}

/// The fields a manager can own: everything that is not a map, except what names the object.
fn leaves(object: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "kind" | "apiVersion" => {}
            "metadata" => {
                for part in ["labels", "annotations", "finalizers", "ownerReferences"] {
                    if let Some(value) = value.get(part) {
                        collect(value, vec!["metadata".to_owned(), part.to_owned()], &mut found);
                    }
                }
            }
            _ => collect(value, vec![key.clone()], &mut found),
        }
    }
    found
}

fn collect(value: &Value, path: Path, found: &mut BTreeSet<Path>) {
    match value {
        Value::Null => {}
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let mut path = path.clone();
                path.push(key.clone());
                collect(value, path, found);
            }
        }
        _ => {
            found.insert(path);
        }
    }
}

fn at<'a>(object: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

fn set(object: &mut Value, path: &Path, value: Value) {
    let mut place = object;
    for key in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[key.as_str()];
    }
    *place = value;
}

fn remove(object: &mut Value, path: &Path) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let parent = parents.iter().try_fold(object, |value, key| value.get_mut(key));
    if let Some(map) = parent.and_then(Value::as_object_mut) {
        map.remove(last);
    }
}

fn owners(object: &Value) -> Vec<Owner> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let mut fields = BTreeSet::new();
            read_fields(&entry["fieldsV1"], &mut Vec::new(), &mut fields);
            Owner {
                manager: text(&entry["manager"]),
                operation: text(&entry["operation"]),
                api_version: text(&entry["apiVersion"]),
                time: text(&entry["time"]),
                fields,
            }
        })
        .collect()
}

fn read_fields(tree: &Value, path: &mut Path, fields: &mut BTreeSet<Path>) {
    let Some(map) = tree.as_object() else { return };
    for (key, value) in map {
        let Some(key) = key.strip_prefix("f:") else { continue };
        path.push(key.to_owned());
        if value.as_object().is_some_and(Map::is_empty) {
            fields.insert(path.clone());
        } else {
            read_fields(value, path, fields);
        }
        path.pop();
    }
}

fn write(object: &mut Value, owners: Vec<Owner>) {
    let entries: Vec<Value> = owners
        .into_iter()
        .filter(|owner| !owner.fields.is_empty())
        .map(|owner| {
            let mut tree = json!({});
            for path in &owner.fields {
                let path: Path = path.iter().map(|key| format!("f:{key}")).collect();
                set(&mut tree, &path, json!({}));
            }
            json!({
                "manager": owner.manager,
                "operation": owner.operation,
                "apiVersion": owner.api_version,
                "time": owner.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": tree,
            })
        })
        .collect();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> Manager<'_> {
        Manager {
            name,
            time: "2026-11-23T16:53:19Z",
            api_version: "coordination.k8s.io/v1",
        }
    }

    fn lease() -> Value {
        let mut lease = json!({"metadata": {"name": "demo"}, "spec": {"holderIdentity": "a", "leaseTransitions": 0}});
        track_update(None, &mut lease, manager("unknown"));
        lease
    }

    fn config(holder: &str) -> Value {
        json!({"metadata": {"name": "demo"}, "spec": {"holderIdentity": holder}})
    }

    #[test]
    fn a_field_of_another_manager_is_a_conflict_unless_forced_or_equal() {
        let conflicts = apply(&lease(), &config("c"), manager("other"), false).unwrap_err();
        let expected = FieldConflict {
            message: "conflict with \"unknown\" using coordination.k8s.io/v1".to_owned(),
            field: ".spec.holderIdentity".to_owned(),
        };
        assert_eq!(conflicts, vec![expected]);
        assert!(apply(&lease(), &config("a"), manager("other"), false).is_ok());
        let forced = apply(&lease(), &config("c"), manager("other"), true).unwrap();
        assert_eq!(forced["spec"], json!({"holderIdentity": "c", "leaseTransitions": 0}));
        let owners = &forced["metadata"]["managedFields"];
        assert_eq!(owners[0]["fieldsV1"], json!({"f:spec": {"f:holderIdentity": {}}}));
        assert_eq!(owners[1]["fieldsV1"], json!({"f:spec": {"f:leaseTransitions": {}}}));
        // The new owner may change it without force; a field it no longer applies goes.
        let again = apply(&forced, &config("d"), manager("other"), false).unwrap();
        assert_eq!(again["spec"]["holderIdentity"], "d");
        let dropped = apply(&again, &json!({"metadata": {"name": "demo"}}), manager("other"), false).unwrap();
        assert_eq!(dropped["spec"], json!({"leaseTransitions": 0}));
    }
}
