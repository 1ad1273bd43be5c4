use collector_config::{Diagnostic, Source};

use super::{components, keys};
use crate::configuration::prepare;

/// The error at a path.
fn error_at(yaml: &str, path: &str) -> Diagnostic {
    let source = Source {
        name: "f.yaml".into(),
        text: yaml.to_owned(),
        adds: false,
    };
    let findings = prepare(&[source], &[], &|_| None).err().expect("errors");
    let found = findings.errors.0.iter().find(|error| error.path == path);
    found.unwrap_or_else(|| panic!("{path}:\n{}", findings.errors)).clone()
}

#[test]
fn every_known_component_has_a_hint_at_its_place() {
    for (section, names, hint) in components::COMPONENTS {
        for name in *names {
            for id in [(*name).to_owned(), format!("{name}/mine")] {
                let error = error_at(&format!("{section}:\n  {id}: {{a: b}}\n"), &format!("{section}::{id}"));
                assert!(
                    error.is_unknown(),
                    "{name} exists here, remove it from the table: {error}"
                );
                assert_eq!(error.help.as_deref(), Some(*hint), "{id}");
                let at = error.position.map(|p| (p.line, p.column));
                assert_eq!(at, Some((2, 3)), "{id}");
            }
        }
    }
}

#[test]
fn every_known_key_has_a_hint_at_its_place() {
    for (pattern, hint) in keys::KEYS {
        for path in alternatives(pattern) {
            let mut yaml = "x".to_owned();
            for part in path.split("::").collect::<Vec<_>>().into_iter().rev() {
                yaml = match part {
                    "0" => format!("[{yaml}]"),
                    part => format!("{{{part}: {yaml}}}"),
                };
            }
            let error = error_at(&yaml, &path);
            assert!(
                error.is_unknown(),
                "{path} exists here, remove it from the table: {error}"
            );
            assert_eq!(error.help.as_deref(), Some(*hint), "{path}");
        }
    }
}

/// Every path that a pattern matches.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut paths = vec![String::new()];
    for part in pattern.split("::") {
        let names = part.split('|').map(|name| if name == "*" { "0" } else { name });
        let longer = |path: &String| {
            let names = names.clone();
            let path = path.clone();
            names.map(move |name| match path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}::{name}"),
            })
        };
        paths = paths.iter().flat_map(longer).collect();
    }
    paths
}

#[test]
fn no_name_is_in_two_entries() {
    let mut seen = std::collections::BTreeSet::new();
    for (section, names, _) in components::COMPONENTS {
        for name in *names {
            assert!(seen.insert((section, name)), "{section}::{name}");
        }
    }
}

#[test]
fn errors_inside_of_an_unknown_component_are_dropped() {
    let source = Source {
        name: "f.yaml".into(),
        text: "exporters: {kafka: {brokers: '${env:BROKERS}'}, debug/a: {loglevel: '${env:LEVEL}', verbosity: x}}"
            .to_owned(),
        adds: false,
    };
    let findings = prepare(&[source], &[], &|_| None).err().expect("errors");
    let paths: Vec<&str> = findings.errors.0.iter().map(|error| error.path.as_str()).collect();
    let expected = [
        "service::pipelines",
        "exporters::kafka",
        "exporters::debug/a::loglevel",
        "exporters::debug/a::verbosity",
    ];
    assert_eq!(paths, expected, "{}", findings.errors);
}

#[test]
fn batch_and_memory_limiter_are_accepted_with_a_warning() {
    let source = Source {
        name: "f.yaml".into(),
        text: "\
receivers: {k8s_job: }
processors:
  batch: {timeout: 1s, send_batch_size: 100, send_batch_max_size: 200, metadata_keys: [a], metadata_cardinality_limit: 9}
  batch/empty:
  memory_limiter: {check_interval: 1s, limit_mib: 100, spike_limit_mib: 20, min_gc_interval_when_hard_limited: 1s}
  memory_limiter/percent: {limit_percentage: 80, spike_limit_percentage: 25, min_gc_interval_when_soft_limited: 1s}
exporters: {debug: }
service:
  pipelines:
    logs:
      receivers: [k8s_job]
      processors: [memory_limiter, memory_limiter/percent, batch, batch/empty]
      exporters: [debug]
    metrics: {receivers: [k8s_job], processors: [memory_limiter, batch], exporters: [debug]}
"
        .to_owned(),
        adds: false,
    };
    let (_, findings) = prepare(&[source], &[], &|_| None).unwrap_or_else(|findings| panic!("{findings}"));
    for (path, line, setting) in [
        ("processors::batch", 3, "sending_queue: {batch: {}}"),
        ("processors::batch/empty", 4, "sending_queue: {batch: {}}"),
        ("processors::memory_limiter", 5, "sending_queue::queue_size"),
        ("processors::memory_limiter/percent", 6, "sending_queue::queue_size"),
    ] {
        let about: Vec<&Diagnostic> = findings.warnings.0.iter().filter(|w| w.path == path).collect();
        assert_eq!(about.len(), 1, "{path}");
        assert_eq!(about[0].position.as_ref().map(|p| p.line), Some(line), "{path}");
        assert!(
            about[0].help.as_ref().is_some_and(|help| help.contains(setting)),
            "{path}"
        );
    }
}
