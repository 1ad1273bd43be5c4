//! From the command line's `--config` and `--set` to a configuration.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use collector_config::{self, Config, Diagnostics, Excerpts, Source, Style};
use collector_runtime::graph::Graph;
use collector_runtime::health::Health;
use opentelemetry::metrics::Meter;

use crate::cli::ConfigArgs;
use crate::commands::Failure;
use crate::components;
use crate::enrichment;
use crate::migration;
use crate::telemetry::{Telemetry, TelemetryConfig, TelemetryPlan};
use crate::terminal;

/// The pipeline that runs when no `--config` is given, as shipped beside the binary's sources.
pub(crate) const BUILT_IN: &str = include_str!("../pipeline.yaml");

/// Reads the sources that the command line names.
pub(crate) fn sources(args: &ConfigArgs) -> Result<Vec<Source>, Failure> {
    let add = |path| {
        let source = read(path)?;
        Ok(Source { adds: true, ..source })
    };
    let added = args.add_config.iter().map(|path| add(path));
    if args.config.is_empty() {
        let built_in = Source {
            name: Arc::from("pipeline.yaml (built in)"),
            text: BUILT_IN.into(),
            adds: false,
        };
        return std::iter::once(Ok(built_in)).chain(added).collect();
    }
    args.config.iter().map(|path| read(path)).chain(added).collect()
}

/// Fails with the reason if the sources cannot be read a second time: standard input and pipes have ended.
pub(crate) fn can_be_read_again(args: &ConfigArgs) -> Result<(), String> {
    for path in args.config.iter().chain(&args.add_config) {
        let name = path.display().to_string();
        if name == "-" {
            return Err("standard input cannot be read again; give --config the path of a file".into());
        }
        let metadata = std::fs::metadata(name.strip_prefix("file:").map_or(&**path, Path::new));
        // A missing file may come back.
        if metadata.is_ok_and(|metadata| !metadata.is_file()) {
            return Err(format!("{name} is not a regular file, so it cannot be read again"));
        }
    }
    Ok(())
}

/// A configuration and its components, not started. `T` is the collector's own logs and metrics.
pub(crate) struct Prepared<T> {
    /// The components and their connections.
    pub graph: Graph,
    /// The collector's own logs and metrics.
    pub telemetry: T,
    /// The health of each component.
    pub health: Health,
}

/// Errors and warnings of a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Errors; none if the warnings count as errors.
    pub errors: Diagnostics,
    /// Warnings.
    pub warnings: Diagnostics,
    /// Variables that are not set and were left out of the checks.
    pub unset: BTreeSet<String>,
    /// The lines that errors are about.
    excerpts: Excerpts,
}

impl Findings {
    /// Only errors, without excerpts.
    pub(crate) fn errors(errors: Diagnostics) -> Self {
        Findings {
            errors,
            ..Findings::default()
        }
    }

    /// The warnings as people read them.
    pub(crate) fn warnings(&self) -> String {
        self.excerpts.render(&self.warnings, "warning: ", style())
    }

    /// Fails if there are errors, or with `strict` if there are warnings.
    pub(crate) fn check(self, strict: bool) -> Result<Findings, Failure> {
        let fails = !self.errors.is_empty() || (strict && !self.warnings.is_empty());
        if fails {
            Err(Failure::Configuration(self))
        } else {
            Ok(self)
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = match self.errors.0.len() {
            0 => "The configuration has warnings, and --strict is set:\n".to_owned(),
            1 => "The configuration has 1 error:\n".to_owned(),
            n => format!("The configuration has {n} errors:\n"),
        };
        text += &self.excerpts.render(&self.errors, "", style());
        text += &self.warnings();
        f.write_str(text.trim_end())
    }
}

fn style() -> Style {
    Style {
        colour: terminal::colours(&io::stderr()),
        width: terminal::error_width(),
    }
}

/// Reads the configuration and makes every component, without any network; on failure every error at once. Also returns
/// the warnings.
pub(crate) fn prepare(
    sources: &[Source],
    sets: &[String],
    environment: Environment<'_>,
) -> Result<(Prepared<Telemetry>, Findings), Findings> {
    let (config, errors) = collector_config::read_all(sources, sets, environment);
    match make(
        Excerpts::of(sources).with_sets(sets),
        config,
        errors,
        &Health::new(),
        started,
    ) {
        (Some(prepared), findings) => Ok((prepared, findings)),
        (None, findings) => Err(findings),
    }
}

/// As [`prepare`], for a process that runs: the components use its instruments and its health, and its own telemetry
/// stays as it is.
pub(crate) fn prepare_again(
    sources: &[Source],
    sets: &[String],
    environment: Environment<'_>,
    meter: &Meter,
    health: &Health,
) -> Result<(Prepared<TelemetryConfig>, Findings), Findings> {
    let (config, errors) = collector_config::read_all(sources, sets, environment);
    let planned = |plan: TelemetryPlan| (plan.into_config(), meter.clone());
    match make(Excerpts::of(sources).with_sets(sets), config, errors, health, planned) {
        (Some(prepared), findings) => Ok((prepared, findings)),
        (None, findings) => Err(findings),
    }
}

/// As [`prepare`], but variables that are not set and have no default are left out of the checks.
pub(crate) fn check_without_environment(sources: &[Source], sets: &[String], environment: Environment<'_>) -> Findings {
    let (config, errors, unset) = collector_config::read_without_environment(sources, sets, environment);
    let (_, findings) = make(
        Excerpts::of(sources).with_sets(sets),
        config,
        errors,
        &Health::new(),
        started,
    );
    Findings { unset, ..findings }
}

fn started(plan: TelemetryPlan) -> (Telemetry, Meter) {
    let telemetry = plan.start();
    let meter = telemetry.meter();
    (telemetry, meter)
}

fn make<T>(
    excerpts: Excerpts,
    config: Option<Config>,
    mut errors: Diagnostics,
    health: &Health,
    start: impl FnOnce(TelemetryPlan) -> (T, Meter),
) -> (Option<Prepared<T>>, Findings) {
    let mut prepared = None;
    if let Some(config) = &config {
        enrichment::warn(config);
        let plan = TelemetryPlan::read(&config.service.telemetry).unwrap_or_else(|wrong| {
            errors.append(wrong);
            TelemetryPlan::default()
        });
        let (telemetry, meter) = start(plan);
        match Graph::build(config, &components::factories(), &meter, health) {
            Ok(graph) => {
                prepared = Some(Prepared {
                    graph,
                    telemetry,
                    health: health.clone(),
                });
            }
            Err(wrong) => errors.append(wrong),
        }
    }
    migration::add_hints(&mut errors);
    migration::drop_inner(&mut errors);
    let findings = Findings {
        errors: errors.sorted(),
        warnings: config.map(|config| config.warnings.list()).unwrap_or_default(),
        unset: BTreeSet::new(),
        excerpts,
    };
    (prepared.filter(|_| findings.errors.is_empty()), findings)
}

/// How variables of the configuration are looked up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment; a variable that is not Unicode counts as unset.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read(path: &Path) -> Result<Source, Failure> {
    let name = path.display().to_string();
    // The Collector accepts `file:pipeline.yaml`, so users write it here too.
    let path = name.strip_prefix("file:").map_or(path, Path::new);
    let read = match name.as_str() {
        "-" => Source::from_reader("standard input", io::stdin().lock()),
        _ => File::open(path).and_then(|file| Source::from_reader(name.as_str(), file)),
    };
    match read {
        Ok(source) => source.map_err(Failure::from),
        Err(_) if scheme(&name).is_some() && !path.exists() => Err(Failure::Usage(format!(
            "--config {}:… is not supported, only files are: give a path, or - for standard input",
            scheme(&name).unwrap_or_default()
        ))),
        Err(error) => Err(Failure::Runtime(format!(
            "cannot read the configuration {}: {error}; check the path given to --config",
            path.display()
        ))),
    }
}

/// The provider in `yaml:…`, `env:…`, `https://…`.
fn scheme(name: &str) -> Option<&str> {
    let (scheme, _) = name.split_once(':')?;
    let is_one = scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    is_one.then_some(scheme).filter(|scheme| *scheme != "file")
}
