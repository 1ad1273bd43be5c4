//! Datadog keeps one point for each metric, set of tags and second: the last one that came. Two different values for
//! one place mean that one is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::views::{Point, PointValue};

/// Resource attributes that become tags (Datadog documentation, "OpenTelemetry semantic conventions and Datadog
/// conventions"). Two resources that differ only in other attributes are one series.
const TAGS: &[&str] = &[
    "service.name",
    "service.version",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "container.id",
    "container.name",
    "container.image.name",
    "container.image.tag",
    "container.runtime",
    "cloud.provider",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.job.name",
    "k8s.cronjob.name",
    "k8s.pod.name",
    "k8s.container.name",
    "k8s.deployment.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    // They make the host, which is part of the series.
    "datadog.host.name",
    "host.id",
    "host.name",
    "k8s.node.name",
];

/// One point that took the place of another one with a different value.
#[derive(Clone, Debug, PartialEq)]
pub struct Overwrite {
    /// The metric.
    pub metric: String,
    /// What makes the series: attributes of the point and those of the resource that become tags, `key:value`.
    pub tags: BTreeSet<String>,
    /// Seconds since 1970.
    pub second: u64,
    /// The value that is lost.
    pub lost: PointValue,
    /// The value that took its place.
    pub kept: PointValue,
}

impl fmt::Display for Overwrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overwrite {
            metric,
            tags,
            second,
            lost,
            kept,
        } = self;
        write!(
            f,
            "{metric}{tags:?} at second {second}: {lost:?} was overwritten by {kept:?}"
        )
    }
}

#[derive(Debug, Default)]
pub(super) struct Overwrites {
    last: HashMap<(String, BTreeSet<String>, u64), PointValue>,
    found: Vec<Overwrite>,
}

impl Overwrites {
    pub(super) fn see(&mut self, point: Point) {
        let second = point.time_unix_nano / 1_000_000_000;
        let tags = tags(&point.resource, &point.attributes);
        let place = (point.metric, tags, second);
        match self.last.get(&place) {
            Some(before) if *before != point.value => {
                self.found.push(Overwrite {
                    metric: place.0.clone(),
                    tags: place.1.clone(),
                    second,
                    lost: before.clone(),
                    kept: point.value.clone(),
                });
            }
            _ => {}
        }
        self.last.insert(place, point.value);
    }

    pub(super) fn found(&self) -> &[Overwrite] {
        &self.found
    }
}

fn tags(resource: &BTreeMap<String, String>, attributes: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mapped = resource.iter().filter(|(key, _)| TAGS.contains(&key.as_str()));
    mapped
        .chain(attributes)
        .map(|(key, value)| format!("{key}:{value}"))
        .collect()
}
