//! A shard: the namespaces of which one of several collectors reads the objects.
//!
//! The 64-bit FNV-1a hash of a namespace's name decides its shard. The hashes are divided into ranges of the same size, as in
//! the parameter `shardSelector` of the API server (KEP-5866), so that a server that has it sends a shard's objects only.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// The most shards.
pub const MAX_SHARDS: u16 = 64;
/// The number of hashes.
const HASHES: u128 = 1 << 64;

/// One of several shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0.
    pub index: u16,
    /// The number of shards.
    pub count: u16,
}

impl Shard {
    /// The shard `index` of `count`; `None` unless `index` is less than `count`, and `count` at most [`MAX_SHARDS`].
    pub fn new(index: u16, count: u16) -> Option<Shard> {
        (index < count && count <= MAX_SHARDS).then_some(Shard { index, count })
    }

    /// True if the objects of the namespace belong to this shard.
    pub fn has_namespace(self, name: &str) -> bool {
        let hash = u128::from(fnv1a(name.as_bytes()));
        self.start() <= hash && hash < self.end()
    }

    /// True if each namespace of the `other` one belongs to this shard, too.
    pub fn covers(self, other: Shard) -> bool {
        self.start() <= other.start() && other.end() <= self.end()
    }

    /// The shard of a smaller number of shards that covers this one; `None` unless `count` divides the number of shards.
    pub fn among(self, count: u16) -> Option<Shard> {
        (count > 0 && self.count.is_multiple_of(count)).then(|| Shard {
            index: self.index / (self.count / count),
            count,
        })
    }

    /// True if it has the lowest hashes of `parent`, so that exactly one of the shards that replace `parent` does.
    pub fn begins(self, parent: Shard) -> bool {
        self.start() == parent.start()
    }

    /// The parameter `shardSelector` of lists and watches: 16 hexadecimal digits for each bound, and 17 for 2⁶⁴.
    ///
    /// Source: `pkg/sharding/parser.go` of `k8s.io/apiserver`.
    pub fn selector(self) -> String {
        format!(
            "shardRange(object.metadata.namespace, '{:#018x}', '{:#018x}')",
            self.start(),
            self.end()
        )
    }

    /// The end of the name of an object that the collectors of this shard use.
    pub fn suffix(self) -> String {
        format!("-{}-of-{}", self.index, self.count)
    }

    /// Reads the text of [`Display`](fmt::Display).
    pub fn parse(text: &str) -> Option<Shard> {
        let (index, count) = text.split_once(" of ")?;
        Shard::new(index.parse().ok()?, count.parse().ok()?)
    }

    /// The lowest hash.
    fn start(self) -> u128 {
        u128::from(self.index) * HASHES / u128::from(self.count)
    }

    /// The lowest hash of the next shard.
    fn end(self) -> u128 {
        (u128::from(self.index) + 1) * HASHES / u128::from(self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.index, self.count)
    }
}

/// The hash of the API server: 64-bit FNV-1a over the bytes of the name.
///
/// Source: `pkg/sharding/hash.go` of `k8s.io/apimachinery`.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The setting `sharding`: several collectors, each with its own namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sharding {
    /// The number of shards, 1 to 64. Each has a collector of its own.
    #[schemars(range(min = 1, max = MAX_SHARDS))]
    pub shards: u16,
    /// The number of this shard, from 0, or a name that ends with it: the name of a StatefulSet's Pod. Required with more
    /// than one shard.
    #[schemars(schema_with = "shard_schema")]
    pub shard: String,
    /// The shard of an object follows from its namespace.
    pub by: ShardKey,
}

fn shard_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": ["string", "integer"],
        "minimum": 0,
        "pattern": "^$|^(.+-)?[0-9]+$",
        "patternErrorMessage": "expected the number of the shard, from 0, or the name of a Pod that ends with it",
    })
}

/// The property of an object that decides its shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShardKey {
    /// Its namespace.
    #[default]
    Namespace,
}

impl Default for Sharding {
    fn default() -> Self {
        Sharding {
            shards: 1,
            shard: String::new(),
            by: ShardKey::Namespace,
        }
    }
}

impl Sharding {
    /// This shard; `None` with one shard, or if the settings have [errors](Self::errors).
    pub fn shard(&self) -> Option<Shard> {
        Shard::new(self.index()?, self.shards).filter(|shard| shard.count > 1)
    }

    /// All invalid values: the key below the component, and what was found and expected.
    pub fn errors(&self) -> Vec<(&'static str, String)> {
        let Sharding { shards, shard, .. } = self;
        let mut errors = Vec::new();
        if !(1..=MAX_SHARDS).contains(shards) {
            let problem = format!("expected 1 to {MAX_SHARDS} shards, found {shards}");
            errors.push(("sharding::shards", problem));
        } else if self.index().is_none_or(|index| index >= *shards) && (*shards > 1 || !shard.is_empty()) {
            let (last, found) = (shards - 1, self.found());
            let problem = format!(
                "expected the number of this shard, 0 to {last}, or the name of a Pod that ends with it, found {found}; with a \
                 StatefulSet: shard: ${{env:POD_NAME}}"
            );
            errors.push(("sharding::shard", problem));
        }
        errors
    }

    fn found(&self) -> String {
        match &*self.shard {
            "" => "none".into(),
            shard => format!("{shard:?}"),
        }
    }

    fn index(&self) -> Option<u16> {
        let number = match self.shard.rsplit_once('-') {
            Some(("", _)) => return None,
            Some((_, number)) => number,
            None => &self.shard,
        };
        // `parse` would accept a sign.
        number
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| number.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Made by `hash/fnv` of Go, and the parser and matcher of the API server 1.37.2.
    fn vectors() -> Value {
        serde_json::from_str(include_str!("../tests/vectors/shards.json")).unwrap()
    }

    fn shard(index: u16, count: u16) -> Shard {
        Shard::new(index, count).unwrap()
    }

    #[test]
    fn selectors_are_those_of_the_api_server() {
        let vectors = vectors();
        let selectors = vectors["selectors"].as_array().unwrap();
        assert!(selectors.len() > 30);
        for vector in selectors {
            let number = |key: &str| u16::try_from(vector[key].as_u64().unwrap()).unwrap();
            assert_eq!(
                shard(number("shard"), number("shards")).selector(),
                vector["selector"].as_str().unwrap()
            );
        }
    }

    #[test]
    fn namespaces_have_the_shards_of_the_api_server() {
        let vectors = vectors();
        let mut checked = 0;
        for vector in vectors["namespaces"].as_array().unwrap() {
            let name = vector["namespace"].as_str().unwrap();
            assert_eq!(
                format!("{:016x}", fnv1a(name.as_bytes())),
                vector["hash"].as_str().unwrap()
            );
            for (count, index) in vector["shard"].as_object().unwrap() {
                let count = count.parse().unwrap();
                let found: Vec<u16> = (0..count)
                    .filter(|index| shard(*index, count).has_namespace(name))
                    .collect();
                assert_eq!(
                    found,
                    [u16::try_from(index.as_u64().unwrap()).unwrap()],
                    "{name} of {count}"
                );
                checked += 1;
            }
        }
        assert!(checked > 90);
    }

    #[test]
    fn a_multiple_of_shards_splits_each_shard() {
        for (count, factor) in [(1, 64), (2, 2), (3, 5), (7, 9)] {
            for index in 0..count * factor {
                let child = shard(index, count * factor);
                let parent = child.among(count).unwrap();
                assert!(parent.covers(child) && !child.covers(parent));
                assert_eq!(child.begins(parent), index % factor == 0);
                let others = (0..count)
                    .map(|index| shard(index, count))
                    .filter(|other| *other != parent);
                assert!(others.into_iter().all(|other| !other.covers(child)));
            }
        }
        assert_eq!(shard(1, 4).among(3), None);
        assert!(!shard(0, 3).covers(shard(1, 4)));
    }

    #[test]
    fn similar_names_may_share_a_shard() {
        let of = |index| {
            (1..=200)
                .filter(|n| shard(index, 4).has_namespace(&format!("team-{n}")))
                .count()
        };
        assert_eq!([0, 1, 2, 3].map(of), [0, 90, 101, 9], "as docs/sharding.md says");
    }

    #[test]
    fn reads_the_number_of_a_shard() {
        let of = |shards, shard: &str| Sharding {
            shards,
            shard: shard.into(),
            by: ShardKey::Namespace,
        };
        for (text, index) in [("3", 3), ("kube-job-collector-2", 2), ("a-b-0", 0)] {
            let settings = of(4, text);
            assert_eq!(
                (settings.shard(), settings.errors()),
                (Shard::new(index, 4), Vec::new())
            );
            assert_eq!(Shard::parse(&settings.shard().unwrap().to_string()), settings.shard());
        }
        for text in ["", "4", "-", "-1", "a", "a-", "+1", "70000", "collector-4"] {
            assert_eq!(of(4, text).errors().first().unwrap().0, "sharding::shard", "{text}");
            assert_eq!(of(4, text).shard(), None, "{text}");
        }
        assert_eq!(of(0, "0").errors().first().unwrap().0, "sharding::shards");
        assert_eq!(of(65, "0").errors().first().unwrap().0, "sharding::shards");
        assert_eq!((of(1, "pod-0").shard(), of(1, "pod-0").errors()), (None, Vec::new()));
        assert_eq!(of(1, "1").errors().len(), 1, "shards is missing");
        assert_eq!(Sharding::default().errors(), Vec::new());
        for text in ["", "1", "1 of 0", "4 of 4", "1 of 65", "-1 of 2"] {
            assert_eq!(Shard::parse(text), None, "{text}");
        }
    }
}
