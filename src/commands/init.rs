//! `init`: writes a pipeline for a backend, to start from.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::{Failure, print};
use crate::cli::InitArgs;
use crate::terminal::note;

/// A backend and its pipeline. `docs/backends.md` shows the same pipelines, without comments.
struct Backend {
    /// The name on the command line, and of the file.
    name: &'static str,
    title: &'static str,
    pipeline: &'static str,
}

impl Backend {
    const fn new(name: &'static str, title: &'static str, pipeline: &'static str) -> Self {
        Backend { name, title, pipeline }
    }
}

const BACKENDS: [Backend; 10] = [
    Backend::new("datadog", "Datadog", include_str!("../../deploy/backends/datadog.yaml")),
    Backend::new(
        "new-relic",
        "New Relic",
        include_str!("../../deploy/backends/new-relic.yaml"),
    ),
    Backend::new(
        "dynatrace",
        "Dynatrace",
        include_str!("../../deploy/backends/dynatrace.yaml"),
    ),
    Backend::new(
        "honeycomb",
        "Honeycomb",
        include_str!("../../deploy/backends/honeycomb.yaml"),
    ),
    Backend::new(
        "grafana-cloud",
        "Grafana Cloud",
        include_str!("../../deploy/backends/grafana-cloud.yaml"),
    ),
    Backend::new(
        "prometheus-otlp",
        "a Prometheus that takes OTLP",
        include_str!("../../deploy/backends/prometheus-otlp.yaml"),
    ),
    Backend::new(
        "opentelemetry-collector",
        "an OpenTelemetry Collector",
        include_str!("../../deploy/backends/opentelemetry-collector.yaml"),
    ),
    Backend::new(
        "oauth2",
        "a backend behind OAuth 2.0",
        include_str!("../../deploy/backends/oauth2.yaml"),
    ),
    Backend::new(
        "prometheus",
        "a Prometheus that scrapes",
        include_str!("../../deploy/backends/prometheus.yaml"),
    ),
    Backend::new("file", "a file", include_str!("../../deploy/backends/file.yaml")),
];

/// The names of the backends.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BACKENDS.iter().map(|backend| backend.name)
}

/// Writes the pipeline to a file or to standard output; without a backend prints their names.
pub(crate) fn init(args: &InitArgs) -> Result<(), Failure> {
    let name = match &args.backend {
        Some(name) if !args.list => name,
        _ => return print(&list()),
    };
    let backend = BACKENDS.iter().find(|backend| backend.name == name);
    let backend = backend.ok_or_else(|| Failure::Usage(format!("found no backend {name:?}; init --list shows all")))?;
    let Some(file) = &args.output else {
        return print(backend.pipeline);
    };
    write(file, backend.pipeline, args.force)?;
    note(&written(backend, file));
    Ok(())
}

fn list() -> String {
    let mut text = String::from("Backends:\n");
    for backend in &BACKENDS {
        let _ = writeln!(text, "  {:<24} {}", backend.name, backend.title);
    }
    text + "\nWrite the pipeline for one of them:\n  kube-job-collector init new-relic -o pipeline.yaml\n"
}

fn write(file: &Path, pipeline: &str, overwrites: bool) -> Result<(), Failure> {
    let shown = file.display();
    let mut options = OpenOptions::new();
    options.write(true);
    match overwrites {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let written = options
        .open(file)
        .and_then(|mut file| file.write_all(pipeline.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Runtime(format!(
            "{shown} exists; --force overwrites it, or name another file with -o"
        )),
        _ => Failure::Runtime(format!("cannot write {shown}: {error}")),
    })
}

/// The next steps, with the variables that have no default.
fn written(backend: &Backend, file: &Path) -> String {
    let file = file.display();
    let mut variables: Vec<&str> = Vec::new();
    for line in backend
        .pipeline
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        for reference in line.split("${env:").skip(1) {
            let name = reference.split('}').next().unwrap_or_default();
            if !name.contains(":-") && !variables.contains(&name) {
                variables.push(name);
            }
        }
    }
    let first = match variables.is_empty() {
        true => "Check and run it:".to_owned(),
        false => format!("Set {}, then check and run it:", variables.join(" and ")),
    };
    format!(
        "Wrote {file}, a pipeline for {}.\n{first}\n  kube-job-collector validate {file}\n  kube-job-collector run {file}",
        backend.title
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_backends_is_a_backend() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/backends");
        let entries = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut names: Vec<String> = BACKENDS
            .iter()
            .map(|backend| format!("{}.yaml", backend.name))
            .collect();
        names.sort();
        assert_eq!(files, names);
    }

    #[test]
    fn the_next_step_names_variables_without_default() {
        let named = |name: &str| {
            let backend = BACKENDS.iter().find(|backend| backend.name == name).unwrap();
            written(backend, Path::new("p.yaml"))
        };
        assert_eq!(
            named("honeycomb"),
            "Wrote p.yaml, a pipeline for Honeycomb.\nSet HONEYCOMB_API_KEY, then check and run it:\n  \
             kube-job-collector validate p.yaml\n  kube-job-collector run p.yaml"
        );
        assert!(named("dynatrace").contains("Set DT_ENVIRONMENT and DT_API_TOKEN, then"));
        assert!(named("file").contains("\nCheck and run it:\n"));
    }
}
