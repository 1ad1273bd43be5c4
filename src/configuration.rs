//! From the command line's `--config` and `--set` to a configuration.

use std::path::Path;
use std::sync::Arc;

use pipeline::config::{self, Diagnostics, Source, Warnings};
use pipeline::graph::Graph;
use pipeline::health::Health;

use crate::cli::ConfigArgs;
use crate::commands::Failure;
use crate::components;
use crate::enrichment;
use crate::migration;
use crate::telemetry::Telemetry;

/// The pipeline that runs when no `--config` is given, as shipped beside the binary's sources.
pub const BUILT_IN: &str = include_str!("../pipeline.yaml");

/// Reads and merges the sources that the command line names.
pub fn sources(args: &ConfigArgs) -> Result<Vec<Source>, Failure> {
    if args.config.is_empty() {
        return Ok(vec![Source {
            name: Arc::from("pipeline.yaml (built in)"),
            text: BUILT_IN.into(),
        }]);
    }
    args.config.iter().map(|path| read(path)).collect()
}

/// A configuration with everything that is made of it, not started.
pub struct Prepared {
    /// The components and how they are wired.
    pub graph: Graph,
    /// The collector's own logs and metrics.
    pub telemetry: Telemetry,
    /// The condition of each component.
    pub health: Health,
}

/// What is wrong with a configuration, and what is probably not meant.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Errors; none if the warnings count as errors.
    pub errors: Diagnostics,
    /// Warnings.
    pub warnings: Diagnostics,
}

impl Prepared {
    /// What is valid but probably not meant. With `strict` any of it is an error.
    pub fn warnings(&self, strict: bool) -> Result<Diagnostics, Failure> {
        let warnings = Diagnostics(self.graph.warnings().to_vec());
        match strict && !warnings.is_empty() {
            false => Ok(warnings),
            true => Err(Failure::Configuration(Findings {
                errors: Diagnostics::default(),
                warnings,
            })),
        }
    }
}

/// Reads the configuration and makes every component, without any network; on failure every mistake at once.
pub fn prepare(sources: &[Source], sets: &[String], environment: Environment<'_>) -> Result<Prepared, Findings> {
    let (config, mut mistakes) = config::read_all(sources, sets, environment);
    let findings = |mut errors: Diagnostics, warnings: &Warnings| {
        migration::add_hints(&mut errors);
        migration::drop_inner(&mut errors);
        Findings {
            errors: errors.sorted(),
            warnings: warnings.list(),
        }
    };
    let Some(config) = config else {
        return Err(findings(mistakes, &Warnings::default()));
    };
    enrichment::warn(&config);
    let telemetry = Telemetry::read(&config.service.telemetry).unwrap_or_else(|wrong| {
        mistakes.append(wrong);
        Telemetry::default()
    });
    let health = Health::new();
    match Graph::build(&config, &components::factories(), &telemetry.meter(), &health) {
        Ok(graph) if mistakes.is_empty() => Ok(Prepared {
            graph,
            telemetry,
            health,
        }),
        Ok(_) => Err(findings(mistakes, &config.warnings)),
        Err(wrong) => {
            mistakes.append(wrong);
            Err(findings(mistakes, &config.warnings))
        }
    }
}

/// How variables of the configuration are looked up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment; a variable that is not Unicode counts as unset.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read(path: &Path) -> Result<Source, Failure> {
    let name = path.display().to_string();
    // The collector writes files as `file:pipeline.yaml`, so people do too.
    let path = name.strip_prefix("file:").map_or(path, Path::new);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Source {
            name: name.into(),
            text,
        }),
        Err(error) => Err(Failure::Runtime(format!(
            "cannot read the configuration {}: {error}; check the path given to --config",
            path.display()
        ))),
    }
}
