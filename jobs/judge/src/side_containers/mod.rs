//! Well-known side containers: containers that serve the others of a Pod and do not end by themselves.
//!
//! A row has the project, its container names and images, the next step that makes it end with the work, and its source. A
//! container name matches as a whole. An image matches by the last components of its repository, without registry, tag and
//! digest: `agent` of `datadog/agent` matches no other agent. Names that are also common for the work are not in the table.

mod table;

pub use table::SIDE_CONTAINERS;

/// A well-known side container.
#[derive(Clone, Copy, Debug)]
pub struct SideContainer {
    /// The project or product.
    pub project: &'static str,
    /// The names that its injector, chart or documentation gives to the container.
    pub names: &'static [&'static str],
    /// Its images: the last components of the repository.
    pub images: &'static [&'static str],
    /// A word that the tag of the image contains; empty if any tag matches.
    pub tag: &'static str,
    /// The next step, which makes it end with the work; empty if the project documents none.
    pub next_step: &'static str,
    /// The page, chart or source file that has the names.
    pub source: &'static str,
}

/// The row that the container's name or image matches.
pub(crate) fn well_known(name: &str, image: &str) -> Option<&'static SideContainer> {
    let (repository, tag) = parts(image);
    SIDE_CONTAINERS.iter().find(|row| {
        let is_image = || row.images.iter().any(|image| ends_with(repository, image));
        row.names.contains(&name) || is_image() && tag.contains(row.tag)
    })
}

/// The repository of an image and its tag, without the digest.
fn parts(image: &str) -> (&str, &str) {
    let image = image.split_once('@').map_or(image, |(image, _digest)| image);
    match image.rsplit_once(':') {
        // `registry:5000/app` has a port and no tag.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, ""),
    }
}

/// True if the last components of the repository are these.
fn ends_with(repository: &str, components: &str) -> bool {
    // Most rows differ in the last letter already; this saves half of the time of a look-up.
    repository.as_bytes().last() == components.as_bytes().last()
        && repository
            .strip_suffix(components)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str, image: &str) -> Option<&'static str> {
        well_known(name, image).map(|row| row.project)
    }

    #[test]
    fn an_image_matches_with_any_registry_tag_and_digest() {
        for image in [
            "proxyv2",
            "docker.io/istio/proxyv2:1.20.0",
            "registry.example:5000/mirror/istio/proxyv2",
            "gcr.io/istio-release/proxyv2:1.20.0-distroless@sha256:0b1f",
        ] {
            assert_eq!(project("sidecar", image), Some("Istio"), "{image}");
        }
        assert_eq!(
            project("p", "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.11"),
            Some("Cloud SQL Auth Proxy")
        );
        assert_eq!(project("a", "public.ecr.aws/datadog/agent:7"), Some("Datadog Agent"));
        assert_eq!(project("d", "docker:27-dind"), Some("Docker in Docker"));
    }

    #[test]
    fn an_image_matches_whole_components_only() {
        for image in [
            "mycorp/otel-migrate:1",
            "mycorp/agent:7",
            "mycorp/notdatadog/agent-tool",
            "mycorp/mydatadog/agent:1",
            "mycorp/vector:2",
            "hashicorp/vault:1.15",
            "docker:27-cli",
            "envoyproxy/envoy-build",
            "registry.example:5000/report",
            "mycorp/proxyv2-tests",
            "",
        ] {
            assert_eq!(project("main", image), None, "{image}");
        }
    }

    #[test]
    fn a_name_matches_as_a_whole() {
        assert_eq!(project("vault-agent", "hashicorp/vault:1.15"), Some("Vault Agent"));
        for name in ["vault-agent-migrate", "envoy-config-test", "proxy", "agent", "main", ""] {
            assert_eq!(project(name, "registry.example/app:9"), None, "{name}");
        }
    }

    #[test]
    fn no_name_or_image_is_in_two_rows_and_each_row_has_a_source() {
        let mut seen = std::collections::BTreeSet::new();
        for row in &SIDE_CONTAINERS {
            assert!(!row.names.is_empty() || !row.images.is_empty(), "{}", row.project);
            assert!(!row.source.is_empty(), "{}", row.project);
            assert!(
                row.next_step.is_empty() || row.next_step.ends_with('.'),
                "{}",
                row.next_step
            );
            for name in row.names {
                assert!(seen.insert(("name", *name)), "{name}");
            }
            for image in row.images {
                assert!(seen.insert(("image", *image)), "{image}");
            }
        }
    }
}
