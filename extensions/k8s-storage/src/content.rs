//! The content of a ConfigMap: the values of one component, and their claim. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use collector_config::ComponentId;
use collector_runtime::component::Kind;
use collector_runtime::storage::Change;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

/// The limit of keys and encoded values, bytes. The API server accepts 1 MiB; every write sends all of it.
pub(crate) const LIMIT: usize = 256 * 1024;
/// The capacity for callers, bytes: their values grow by a third when they are encoded.
pub(crate) const CAPACITY: usize = LIMIT / 4 * 3 - 8 * 1024;
/// Annotation: the store that holds the claim.
const HOLDER: &str = "kube-job-collector/holder";
/// Annotation: the number of the claim.
const CLAIM: &str = "kube-job-collector/claim";
/// Annotation: the numbers of shards that the state has had, in order: `1,2,4`.
const SHARDS: &str = "kube-job-collector/shards";
/// Annotation: the version of this format.
const FORMAT: &str = "kube-job-collector/format";
const THIS_FORMAT: &str = "1";
/// A release that does not know shards must not use state that is divided.
const SHARDS_FORMAT: &str = "2";

/// The content of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// The values, by key.
    pub(crate) values: BTreeMap<String, Bytes>,
    /// The store that holds the claim.
    pub(crate) holder: String,
    /// The number of the claim; each claim increments it.
    pub(crate) claim: u64,
    /// The numbers of shards that the state has had, in order; empty if it was never divided, and in the ConfigMap of a shard.
    pub(crate) shards: Vec<u16>,
    /// `resourceVersion`; empty if it was never stored.
    pub(crate) version: String,
}

impl Content {
    /// Reads a ConfigMap.
    ///
    /// # Errors
    /// An unknown format or key.
    pub(crate) fn read(object: ConfigMap) -> Result<Content, String> {
        let mut annotations = object.metadata.annotations.unwrap_or_default();
        let format = annotations.remove(FORMAT).unwrap_or_default();
        if !["", THIS_FORMAT, SHARDS_FORMAT].contains(&&*format) {
            return Err(format!(
                "found format {format:?}, expected {THIS_FORMAT:?} or {SHARDS_FORMAT:?}: a later version of the collector wrote it, run that one"
            ));
        }
        let mut values = BTreeMap::new();
        for (name, ByteString(value)) in object.binary_data.unwrap_or_default() {
            let key = unescaped(&name).ok_or_else(|| {
                format!("found the key {name:?}, which the collector does not write: delete that key")
            })?;
            values.insert(key, value.into());
        }
        let shards = annotations.remove(SHARDS).unwrap_or_default();
        let numbers = shards.split(',').filter(|number| !number.is_empty()).map(str::parse);
        let numbers = numbers
            .collect::<Result<Vec<u16>, _>>()
            .ok()
            .filter(|numbers| !numbers.contains(&0));
        Ok(Content {
            shards: numbers
                .ok_or_else(|| format!("annotation {SHARDS}: found {shards:?}, expected numbers such as 1,2,4"))?,
            values,
            holder: annotations.remove(HOLDER).unwrap_or_default(),
            claim: annotations.get(CLAIM).and_then(|claim| claim.parse().ok()).unwrap_or(0),
            version: object.metadata.resource_version.unwrap_or_default(),
        })
    }

    /// The ConfigMap of this name, which belongs to the component at `path`.
    pub(crate) fn write(&self, name: &str, path: &str) -> ConfigMap {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Some(pairs.collect())
        };
        let values = self.values.iter();
        let shards: Vec<String> = self.shards.iter().map(u16::to_string).collect();
        let shards = shards.join(",");
        let (format, numbers) = match shards.is_empty() {
            true => (THIS_FORMAT, None),
            false => (SHARDS_FORMAT, Some((SHARDS, &*shards))),
        };
        let annotations = [
            (HOLDER, &*self.holder),
            (CLAIM, &self.claim.to_string()),
            (FORMAT, format),
            ("kube-job-collector/component", path),
        ];
        let annotations: Vec<_> = annotations.into_iter().chain(numbers).collect();
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: map(&[
                    ("app.kubernetes.io/name", "kube-job-collector"),
                    ("app.kubernetes.io/component", "k8s_storage"),
                ]),
                annotations: map(&annotations),
                resource_version: (!self.version.is_empty()).then(|| self.version.clone()),
                ..ObjectMeta::default()
            },
            binary_data: Some(
                values
                    .map(|(key, value)| (escaped(key), ByteString(value.to_vec())))
                    .collect(),
            ),
            ..ConfigMap::default()
        }
    }

    /// The same content with the next claim.
    pub(crate) fn claimed_by(&self, holder: &str) -> Content {
        Content {
            holder: holder.to_owned(),
            claim: self.claim + 1,
            ..self.clone()
        }
    }

    /// Applies changes.
    ///
    /// # Errors
    /// The result is larger than [`LIMIT`].
    pub(crate) fn changed(&self, changes: &[Change]) -> Result<Content, String> {
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
                "found {size} bytes to store, expected at most {LIMIT}; use file_storage, which holds more"
            )),
        }
    }

    /// The size of keys and encoded values, bytes.
    pub(crate) fn size(&self) -> usize {
        let entry = |(key, value): (&String, &Bytes)| escaped(key).len() + value.len().div_ceil(3) * 4;
        self.values.iter().map(entry).sum()
    }
}

/// The name of a component's ConfigMap: a DNS subdomain. Other characters are written as their code.
pub fn config_map_name(prefix: &str, kind: Kind, id: &ComponentId) -> String {
    let mut name = format!("{prefix}-{kind}-");
    let text = id.to_string();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => name.push(char::from(byte)),
            b'_' => name.push('-'),
            byte => name.push_str(&format!("-x{byte:02x}")),
        }
    }
    // Without `_` and `/`, a type and a type with a name may look alike; the length of the name separates them.
    if let Some(given) = &id.name {
        name.push_str(&format!("-{}", given.len()));
    }
    name.truncate(253);
    name.trim_end_matches('-').to_owned()
}

/// A valid key of a ConfigMap: letters, digits, `-` and `.`; every other byte as `_` and its code.
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
    fn reads_what_it_writes() {
        let mut content = Content {
            holder: "a".into(),
            claim: 3,
            ..Content::default()
        };
        for key in ["window/000", "checkpoint", "ä_ö", ""] {
            content.values.insert(key.into(), Bytes::from_static(&[0, 255, 7]));
        }
        assert_eq!(Content::read(content.write("n", "p")).unwrap(), content);
        content.version = "12".into();
        content.shards = vec![1, 2, 4];
        let written = content.write("n", "receivers::k8s_job");
        assert_eq!(Content::read(written.clone()).unwrap(), content);
        let encoded = serde_json::to_value(&written).unwrap();
        let encoded = encoded["binaryData"].as_object().unwrap().iter();
        let encoded: usize = encoded
            .map(|(key, value)| key.len() + value.as_str().unwrap().len())
            .sum();
        assert_eq!(content.size(), encoded);
    }

    #[test]
    fn refuses_to_exceed_the_limit() {
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
    fn refuses_unknown_keys_and_formats() {
        let mut written = Content::default().write("n", "p");
        written.binary_data = Some([("_zz".into(), ByteString::default())].into());
        assert!(Content::read(written.clone()).unwrap_err().contains("_zz"));
        written.binary_data = None;
        written.metadata.annotations = Some([(SHARDS.into(), "1,x".into())].into());
        assert!(Content::read(written.clone()).unwrap_err().contains("such as 1,2,4"));
        written.metadata.annotations = Some([(FORMAT.into(), "3".into())].into());
        assert!(Content::read(written).unwrap_err().contains("later version"));
    }

    #[test]
    fn each_component_has_its_own_configmap() {
        let names = [
            config_map_name("p", Kind::Receiver, &id("k8s_job", None)),
            config_map_name("p", Kind::Connector, &id("k8s_job", None)),
            config_map_name("p", Kind::Receiver, &id("k8s_job", Some("a"))),
            config_map_name("p", Kind::Receiver, &id("k8s_job", Some("A"))),
            config_map_name("p", Kind::Receiver, &id("k8s", Some("job"))),
            config_map_name("p", Kind::Receiver, &id("k8s_job", Some("ü b"))),
        ];
        assert_eq!(names[0], "p-receiver-k8s-job");
        for (at, name) in names.iter().enumerate() {
            assert!(job_watch::client::is_dns_subdomain(name), "{name}");
            assert!(!names[..at].contains(name), "{name}");
        }
    }
}
