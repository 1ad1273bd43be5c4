//! The state of a shard: a ConfigMap of its own, whose name ends with the shard.
//!
//! The ConfigMap without that end holds the state of a collector without shards, and the numbers of shards so far. The first
//! process of a larger number adds it there, which stops the processes of the smaller one: at their next write, because
//! their ConfigMap is claimed, and at their next start, because their number is no longer the last one. A shard without a
//! ConfigMap then begins with the values of the shard that had its namespaces before.

use bytes::Bytes;
use collector_runtime::storage::{COPIED, StoreError};
use job_watch::client::{ErrorKind, error_kind};
use job_watch::shard::Shard;

use crate::content::Content;
use crate::store::ConfigMapStore;

/// The longest name of a ConfigMap without its shard.
const LONGEST_NAME: usize = 240;

/// The ConfigMap of a shard; `base` is the one without shards.
pub(crate) fn name_of(base: &str, shard: Shard) -> String {
    match shard.count {
        1 => base.to_owned(),
        _ => {
            let base = base.get(..LONGEST_NAME).unwrap_or(base).trim_end_matches('-');
            format!("{base}{}", shard.suffix())
        }
    }
}

/// The numbers of shards once there are `count`; `None` if they are stored already.
///
/// # Errors
/// The stored state cannot be divided among `count` shards.
pub(crate) fn numbers(base: &Content, count: u16) -> Result<Option<Vec<u16>>, String> {
    let is_new = base.version.is_empty();
    let before = base.shards.last().copied().unwrap_or(1);
    if before == count && !(is_new && count > 1) {
        return Ok(None);
    }
    if is_new {
        return Ok(Some(vec![count]));
    }
    if !count.is_multiple_of(before) {
        return Err(format!(
            "found shards: {count}, but the state of {before} shards is stored, expected shards: {before} or a multiple of it: the \
             number of shards can only be multiplied. To start over as on the first start, stop the collectors and delete the \
             ConfigMaps with the label app.kubernetes.io/component=k8s_storage"
        ));
    }
    let mut numbers = base.shards.clone();
    if numbers.is_empty() {
        numbers.push(1);
    }
    numbers.push(count);
    Ok(Some(numbers))
}

/// The values with which `shard` begins: those of `parent`.
fn copied(parent: Shard, shard: Shard, mut content: Content) -> Content {
    content.version.clear();
    content.shards.clear();
    if !shard.begins(parent) {
        content.values.insert(COPIED.into(), Bytes::new());
    }
    content
}

impl ConfigMapStore {
    /// The content to claim. `own` is that of this shard's ConfigMap, read before this call: if a larger number of shards begins
    /// in between, the claim fails.
    pub(crate) async fn of_shard(&self, own: Content) -> Result<Content, StoreError> {
        let Some(shard) = self.shard else {
            numbers(&own, 1).map_err(|problem| self.permanent(&self.base, &problem))?;
            return Ok(own);
        };
        let numbers = self.register(shard).await?;
        if !own.version.is_empty() {
            return Ok(own);
        }
        // A shard that never ran has no ConfigMap: its namespaces are still those of the shard before.
        for count in numbers.iter().rev().skip(1) {
            let Some(parent) = shard.among(*count) else { continue };
            let name = name_of(&self.base, parent);
            let stored = self.fence(&name).await?;
            if !stored.version.is_empty() {
                tracing::info!(
                    from = name,
                    to = self.name,
                    "continuing the state of a smaller number of shards"
                );
                return Ok(copied(parent, shard, stored));
            }
        }
        Ok(own)
    }

    /// Adds the number of shards to those that the state has had. Returns all of them.
    async fn register(&self, shard: Shard) -> Result<Vec<u16>, StoreError> {
        let mut failures = 0;
        loop {
            let base = self.read(&self.base).await?;
            let numbers = numbers(&base, shard.count).map_err(|problem| self.permanent(&self.base, &problem))?;
            let Some(numbers) = numbers else { return Ok(base.shards) };
            let wanted = Content {
                shards: numbers.clone(),
                ..base
            };
            match self.write(&self.base, &wanted).await {
                Ok(_) => return Ok(numbers),
                Err(error) => self.conflict(&error, &mut failures).await?,
            }
        }
    }

    /// Claims the ConfigMap of another shard, so that its process writes no more. Returns its content; without a version if there
    /// is none.
    async fn fence(&self, name: &str) -> Result<Content, StoreError> {
        let mut failures = 0;
        loop {
            let found = self.read(name).await?;
            if found.version.is_empty() {
                return Ok(found);
            }
            let wanted = found.claimed_by(&self.holder);
            match self.write(name, &wanted).await {
                Ok(stored) => return Ok(stored),
                Err(error) => self.conflict(&error, &mut failures).await?,
            }
        }
    }

    /// Waits before the next attempt after another writer was faster, or after a temporary error.
    pub(crate) async fn conflict(&self, error: &kube::Error, failures: &mut u32) -> Result<(), StoreError> {
        match error_kind(error) {
            ErrorKind::Conflict => self.again(error, failures).await,
            _ => self.pause(error, failures).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(version: &str, shards: &[u16]) -> Content {
        Content {
            version: version.into(),
            shards: shards.to_vec(),
            ..Content::default()
        }
    }

    #[test]
    fn the_number_of_shards_can_be_multiplied() {
        for (stored, count, expected) in [
            (base("", &[]), 1, None),
            (base("", &[]), 4, Some(vec![4])),
            (base("1", &[]), 1, None),
            (base("1", &[]), 3, Some(vec![1, 3])),
            (base("1", &[4]), 4, None),
            (base("1", &[1, 2]), 6, Some(vec![1, 2, 6])),
        ] {
            assert_eq!(numbers(&stored, count), Ok(expected), "{stored:?} {count}");
        }
    }

    #[test]
    fn other_changes_of_the_number_are_errors() {
        for (stored, count, found) in [
            (&[4][..], 2, "found shards: 2"),
            (&[1, 4], 6, "found shards: 6"),
            (&[1, 4], 1, "found shards: 1, but the state of 4 shards is stored"),
        ] {
            let error = numbers(&base("1", stored), count).unwrap_err();
            assert!(error.contains(found) && error.contains("shards: 4"), "{error}");
            assert!(error.contains("delete the ConfigMaps"), "{error}");
        }
    }

    #[test]
    fn one_shard_sends_what_was_still_to_be_sent() {
        let mut stored = base("7", &[1, 2]);
        stored.values.insert("k".into(), Bytes::from_static(b"v"));
        let shard = |index, count| Shard::new(index, count).unwrap();
        for (index, is_copy) in [(2, false), (3, true)] {
            let content = copied(shard(1, 2), shard(index, 4), stored.clone());
            assert_eq!(content.values.contains_key(COPIED), is_copy);
            assert_eq!(content.values["k"], "v");
            assert!(content.version.is_empty() && content.shards.is_empty());
        }
    }

    #[test]
    fn names_end_with_the_shard() {
        let name = |base: &str, index, count| name_of(base, Shard::new(index, count).unwrap());
        assert_eq!(name("p-receiver-k8s-job", 1, 4), "p-receiver-k8s-job-1-of-4");
        assert_eq!(name("p", 0, 1), "p");
        let long = "a-".repeat(126);
        assert!(name(&long, 63, 64).len() <= 253 && name(&long, 63, 64).ends_with("a-63-of-64"));
    }
}
