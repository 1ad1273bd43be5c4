//! The tags that Datadog derives from resources and points. Pure.
//!
//! Source: Datadog documentation, "OpenTelemetry Semantic Conventions and Datadog Conventions" and "Getting Started with
//! Tags"; the mapping is that of Datadog's open-source translator.

use std::collections::{BTreeMap, BTreeSet};

/// Resource attributes and their tags. Metrics have no tags of other resource attributes.
const MAPPED: &[(&str, &str)] = &[
    ("service.name", "service"),
    ("service.version", "version"),
    ("service.instance.id", "service.instance.id"),
    ("deployment.environment", "env"),
    ("deployment.environment.name", "env"),
    ("container.id", "container_id"),
    ("container.name", "container_name"),
    ("container.image.name", "image_name"),
    ("container.image.tag", "image_tag"),
    ("container.runtime", "runtime"),
    ("cloud.provider", "cloud_provider"),
    ("cloud.region", "region"),
    ("cloud.availability_zone", "zone"),
    ("k8s.cluster.name", "kube_cluster_name"),
    ("k8s.namespace.name", "kube_namespace"),
    ("k8s.job.name", "kube_job"),
    ("k8s.cronjob.name", "kube_cronjob"),
    ("k8s.pod.name", "pod_name"),
    ("k8s.container.name", "kube_container_name"),
    ("k8s.deployment.name", "kube_deployment"),
    ("k8s.replicaset.name", "kube_replica_set"),
    ("k8s.statefulset.name", "kube_stateful_set"),
    ("k8s.daemonset.name", "kube_daemon_set"),
    ("app.kubernetes.io/name", "kube_app_name"),
    ("app.kubernetes.io/instance", "kube_app_instance"),
    ("app.kubernetes.io/version", "kube_app_version"),
    ("app.kubernetes.io/part-of", "kube_app_part_of"),
    ("app.kubernetes.io/managed-by", "kube_app_managed_by"),
    ("tags.datadoghq.com/env", "env"),
    ("tags.datadoghq.com/service", "service"),
    ("tags.datadoghq.com/version", "version"),
    // Datadog's own names are kept.
    ("kube_namespace", "kube_namespace"),
    ("kube_job", "kube_job"),
    ("kube_cronjob", "kube_cronjob"),
    ("kube_container_name", "kube_container_name"),
    ("kube_ownerref_kind", "kube_ownerref_kind"),
    ("kube_ownerref_name", "kube_ownerref_name"),
    ("pod_name", "pod_name"),
    ("pod_phase", "pod_phase"),
    ("env", "env"),
    ("service", "service"),
    ("version", "version"),
    // The host is part of every series.
    ("host", "host"),
    ("datadog.host.name", "host"),
    ("host.id", "host"),
    ("host.name", "host"),
    ("k8s.node.name", "host"),
];

/// Attributes `datadog.container.tag.X` become the tag X.
const CUSTOM: &str = "datadog.container.tag.";
/// The length of the longest tag, in characters.
const LENGTH: usize = 200;

/// The tags of a resource, `key:value`.
pub fn of_resource<'a>(resource: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for (key, value) in resource {
        let mapped = MAPPED.iter().find(|(attribute, _)| *attribute == key);
        let tag = mapped.map(|(_, tag)| *tag).or_else(|| key.strip_prefix(CUSTOM));
        // Empty values become no tags.
        if let Some(tag) = tag.filter(|_| !value.is_empty()) {
            tags.insert(normalized(tag, value));
        }
    }
    tags
}

/// The tags of a point: those of its resource, and its own attributes under their own names.
pub(super) fn of_point(resource: &BTreeMap<String, String>, attributes: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut tags = of_resource(resource.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    for (key, value) in attributes {
        let value = if value.is_empty() { "n/a" } else { value };
        tags.insert(normalized(key, value));
    }
    tags
}

/// The tags in a list, `key:value,key:value`.
pub(super) fn in_list(list: &str) -> impl Iterator<Item = String> {
    let pairs = list.split(',').filter_map(|tag| tag.split_once(':'));
    pairs.map(|(key, value)| normalized(key.trim(), value.trim()))
}

/// A tag as Datadog stores it: in lower case, of allowed characters only, at most [`LENGTH`] long, starting with a letter.
fn normalized(key: &str, value: &str) -> String {
    let text = format!("{key}:{value}");
    let letters = text
        .chars()
        .skip_while(|c| !c.is_alphabetic())
        .flat_map(char::to_lowercase);
    let allowed = letters.map(|c| match c {
        '_' | '-' | ':' | '.' | '/' => c,
        c if c.is_alphanumeric() => c,
        _ => '_',
    });
    let tag: String = allowed.take(LENGTH).collect();
    tag.trim_end_matches([':', '_']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn maps_resource_attributes_but_no_point_attributes() {
        let resource = map(&[
            ("k8s.namespace.name", "shop"),
            ("k8s.job.name", "import"),
            ("deployment.environment.name", "prod"),
            ("k8s.job.uid", "u"),
            ("datadog.container.tag.team", "data"),
            ("service.version", ""),
        ]);
        let attributes = map(&[("cause", "RanTooLong"), ("k8s.pod.name", "p"), ("reason", "")]);
        let tags: Vec<String> = of_point(&resource, &attributes).into_iter().collect();
        assert_eq!(
            tags,
            [
                "cause:rantoolong",
                "env:prod",
                "k8s.pod.name:p",
                "kube_job:import",
                "kube_namespace:shop",
                "reason:n/a",
                "team:data"
            ]
        );
    }

    #[test]
    fn a_list_has_a_tag_for_each_entry() {
        let tags: Vec<String> = in_list("team:Data, cost-center:4711,none").collect();
        assert_eq!(tags, ["team:data", "cost-center:4711"]);
    }

    #[test]
    fn tags_are_normalized_as_by_datadog() {
        let of = |key: &str, value: &str| {
            of_point(&map(&[]), &map(&[(key, value)]))
                .into_iter()
                .next()
                .unwrap_or_default()
        };
        assert_eq!(of("Key", "A b,C"), "key:a_b_c");
        assert_eq!(of("1st", "x"), "st:x");
        assert_eq!(of("k", "Ärger:"), "k:ärger");
        assert_eq!(of("k", &"x".repeat(300)).len(), 200);
    }
}
