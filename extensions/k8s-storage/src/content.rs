//! What a ConfigMap holds: the values of one component, and who has claimed them. Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use collector_config::ComponentId;
use collector_runtime::component::Kind;
use collector_runtime::storage::Change;
use serde_json::{Map, Value, json};

/// The most that a ConfigMap may hold of keys and encoded values, bytes. The API server takes 1 MiB; every write sends
/// all of it.
pub const LIMIT: usize = 256 * 1024;
/// What callers are told that they may store: their values grow by a third when they are encoded.
pub const CAPACITY: usize = LIMIT / 4 * 3 - 8 * 1024;
/// Who has claimed it.
const HOLDER: &str = "kube-job-collector/holder";
/// The number of the claim.
const CLAIM: &str = "kube-job-collector/claim";
/// In which form it is written.
const FORMAT: &str = "kube-job-collector/format";
const THIS_FORMAT: &str = "1";

/// What a ConfigMap holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The values, by key.
    pub values: BTreeMap<String, Bytes>,
    /// Who has claimed it.
    pub holder: String,
    /// The number of the claim.
    pub claim: u64,
    /// `resourceVersion`; empty if it was never stored.
    pub version: String,
}

impl Content {
    /// What stands in a ConfigMap.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(object: &Value) -> Result<Content, String> {
        let metadata = &object["metadata"];
        let annotation = |name: &str| metadata["annotations"][name].as_str().unwrap_or_default();
        let format = annotation(FORMAT);
        if !format.is_empty() && format != THIS_FORMAT {
            return Err(format!(
                "it is of format {format:?}, expected {THIS_FORMAT:?}: a later collector wrote it"
            ));
        }
        let mut values = BTreeMap::new();
        for (name, value) in object["binaryData"].as_object().into_iter().flatten() {
            let key = unescaped(name).ok_or_else(|| format!("{name:?} is not one of its keys"))?;
            let value = value.as_str().unwrap_or_default();
            let value = STANDARD
                .decode(value)
                .map_err(|error| format!("the value of {name:?}: {error}"))?;
            values.insert(key, value.into());
        }
        Ok(Content {
            values,
            holder: annotation(HOLDER).to_owned(),
            claim: annotation(CLAIM).parse().unwrap_or(0),
            version: metadata["resourceVersion"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// As a ConfigMap of this name, that belongs to the component at `path`.
    pub fn write(&self, name: &str, path: &str) -> Value {
        let values: Map<String, Value> = self
            .values
            .iter()
            .map(|(key, value)| (escaped(key), STANDARD.encode(value).into()))
            .collect();
        let mut object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/name": "kube-job-collector", "app.kubernetes.io/component": "k8s_storage"},
                "annotations": {HOLDER: self.holder, CLAIM: self.claim.to_string(), FORMAT: THIS_FORMAT,
                    "kube-job-collector/component": path},
            },
            "binaryData": values,
        });
        if !self.version.is_empty() {
            object["metadata"]["resourceVersion"] = self.version.as_str().into();
        }
        object
    }

    /// The same after these changes.
    ///
    /// # Errors
    /// If that would be too large.
    pub fn changed(&self, changes: &[Change]) -> Result<Content, String> {
        let mut changed = self.clone();
        for change in changes {
            match change {
                Change::Set(key, value) => changed.values.insert(key.clone(), value.clone()),
                Change::Delete(key) => changed.values.remove(key),
            };
        }
        let size = changed.size();
        match size <= LIMIT {
            true => Ok(changed),
            false => Err(format!(
                "it would hold {size} bytes, at most {LIMIT} are possible; use file_storage, which holds more"
            )),
        }
    }

    /// How much it holds of keys and encoded values, bytes.
    pub fn size(&self) -> usize {
        let entry = |(key, value): (&String, &Bytes)| escaped(key).len() + value.len().div_ceil(3) * 4;
        self.values.iter().map(entry).sum()
    }
}

/// The name of the ConfigMap of a component: a DNS subdomain. What a name may not hold is written as its code.
pub fn name(prefix: &str, kind: Kind, id: &ComponentId) -> String {
    let mut name = format!("{prefix}-{kind}-");
    let text = id.to_string();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => name.push(char::from(byte)),
            b'_' => name.push('-'),
            byte => name.push_str(&format!("-x{byte:02x}")),
        }
    }
    // A type and a type with a name may look alike once `_` and `/` are gone; the name's length tells them apart.
    if let Some(given) = &id.name {
        name.push_str(&format!("-{}", given.len()));
    }
    name.truncate(253);
    name.trim_end_matches('-').to_owned()
}

/// A key as ConfigMaps take them: letters, digits, `-` and `.`; everything else as `_` and its code.
fn escaped(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("_{byte:02x}")),
        }
    }
    escaped
}

fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'_' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(type_name: &str, name: Option<&str>) -> ComponentId {
        ComponentId {
            type_name: type_name.into(),
            name: name.map(Into::into),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut content = Content {
            holder: "a".into(),
            claim: 3,
            ..Content::default()
        };
        for key in ["window/000", "checkpoint", "ä_ö", ""] {
            content.values.insert(key.into(), Bytes::from_static(&[0, 255, 7]));
        }
        assert_eq!(Content::read(&content.write("n", "p")).unwrap(), content);
        content.version = "12".into();
        let written = content.write("n", "receivers::k8s_job");
        assert_eq!(Content::read(&written).unwrap(), content);
        let encoded: usize = written["binaryData"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| key.len() + value.as_str().unwrap().len())
            .sum();
        assert_eq!(content.size(), encoded);
    }

    #[test]
    fn one_that_would_be_too_large_is_not_made() {
        let set = |length: usize| [Change::Set("k".into(), vec![0; length].into())];
        let content = Content::default().changed(&set(CAPACITY)).unwrap();
        let problem = content
            .changed(&[Change::Set("l".into(), vec![0; 100_000].into())])
            .unwrap_err();
        assert!(
            problem.contains("262144") && problem.contains("file_storage"),
            "{problem}"
        );
        assert!(
            content
                .changed(&[Change::Delete("k".into())])
                .unwrap()
                .values
                .is_empty()
        );
    }

    #[test]
    fn what_another_wrote_is_refused() {
        let mut written = Content::default().write("n", "p");
        written["binaryData"] = json!({"a": "not base64!"});
        assert!(Content::read(&written).unwrap_err().contains("\"a\""));
        written["binaryData"] = json!({"_zz": ""});
        assert!(Content::read(&written).unwrap_err().contains("_zz"));
        written["metadata"]["annotations"][FORMAT] = "2".into();
        assert!(Content::read(&written).unwrap_err().contains("later collector"));
    }

    #[test]
    fn each_component_has_a_name_of_its_own() {
        let names = [
            name("p", Kind::Receiver, &id("k8s_job", None)),
            name("p", Kind::Connector, &id("k8s_job", None)),
            name("p", Kind::Receiver, &id("k8s_job", Some("a"))),
            name("p", Kind::Receiver, &id("k8s_job", Some("A"))),
            name("p", Kind::Receiver, &id("k8s", Some("job"))),
            name("p", Kind::Receiver, &id("k8s_job", Some("ü b"))),
        ];
        assert_eq!(names[0], "p-receiver-k8s-job");
        for (at, name) in names.iter().enumerate() {
            assert!(job_watch::client::is_dns_subdomain(name), "{name}");
            assert!(!names[..at].contains(name), "{name}");
        }
    }
}
