//! Applies a changed configuration without a restart: on SIGHUP, and with `--watch-config` when the content of a file changes.
//!
//! One reload runs at a time. A change that arrives meanwhile is applied after it, and of several the last.

mod logs;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;

use collector_config::Source;
use collector_runtime::health::{ConfigurationStatus, Health};
use collector_runtime::runtime::{Reload, ReloadReport};
use jiff::Timestamp;
use opentelemetry::metrics::Meter;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cli::RunArgs;
use crate::commands::Failure;
use crate::configuration::{self, Findings, Prepared};
use crate::telemetry::{Log, Reloads, Telemetry, TelemetryConfig};
use watch::{Reading, Watch};

pub(crate) use logs::log_warnings;

/// The parts of the running process that a reload uses.
pub(crate) struct Process<'a> {
    /// The command line.
    pub args: &'a RunArgs,
    /// The collector's own telemetry.
    pub telemetry: &'a Telemetry,
    /// Its log, if that could be started.
    pub log: Option<&'a Log>,
    /// The health of the components.
    pub health: Health,
    /// Takes new graphs.
    pub graphs: mpsc::Sender<Reload>,
}

/// Reloads the configuration.
pub(crate) struct Reloader<'a> {
    process: Process<'a>,
    args: Arc<RunArgs>,
    meter: Meter,
    reloads: Reloads,
    watch: Option<Watch>,
}

/// Why a reload failed; the old configuration continues to run.
enum ReloadFailure {
    /// The files cannot be read, or are invalid.
    Configuration(Failure),
    /// The new graph did not start.
    Graph(String),
}

/// A configuration that runs now.
struct Applied {
    report: ReloadReport,
    findings: Findings,
    telemetry: TelemetryConfig,
}

impl<'a> Reloader<'a> {
    /// `sources` is the configuration that the process was started with.
    pub(crate) fn new(process: Process<'a>, sources: Vec<Source>) -> Reloader<'a> {
        let meter = process.telemetry.meter();
        let watch = process
            .args
            .watch_config
            .map(|interval| Watch::new(interval.get(), Reading::of(&Ok(sources))));
        process.health.report_configuration(ConfigurationStatus::Applied);
        Reloader {
            args: Arc::new(process.args.clone()),
            reloads: Reloads::observe(&meter, Timestamp::now()),
            process,
            meter,
            watch,
        }
    }

    /// Reloads until it is dropped.
    pub(crate) async fn run(mut self, mut hangup: Option<Signal>) -> Infallible {
        loop {
            let (trigger, read) = tokio::select! {
                () = received(&mut hangup) => {
                    if let Err(reason) = configuration::can_be_read_again(&self.args.source) {
                        warn!(reason, "SIGHUP ignored: the configuration cannot be read again");
                        continue;
                    }
                    let read = read(&self.args).await;
                    if let Some(watch) = &mut self.watch {
                        watch.take(Reading::of(&read));
                    }
                    ("SIGHUP", read)
                }
                read = changed(&mut self.watch, &self.args) => ("changed file", read),
            };
            self.reload(trigger, read).await;
        }
    }

    async fn reload(&self, trigger: &str, read: Result<Vec<Source>, Failure>) {
        info!(trigger, "reloading the configuration");
        let applied = match read {
            Ok(sources) => self.apply(sources).await,
            Err(failure) => Err(ReloadFailure::Configuration(failure)),
        };
        match applied {
            Ok(Applied {
                report,
                findings,
                telemetry,
            }) => {
                self.reloads.succeeded(Timestamp::now());
                self.process.health.report_configuration(ConfigurationStatus::Applied);
                log_warnings(&findings);
                for key in self.process.telemetry.apply(&telemetry, self.process.log) {
                    warn!(key, "a change of this setting applies after a restart");
                }
                logs::success(&report);
            }
            Err(problem) => {
                self.reloads.failed();
                let status = ConfigurationStatus::ReloadFailed(problem.summary());
                self.process.health.report_configuration(status);
                logs::failure(&problem);
            }
        }
    }

    /// Validates a configuration and lets the running graph become its graph.
    async fn apply(&self, sources: Vec<Source>) -> Result<Applied, ReloadFailure> {
        let (args, meter, health) = (Arc::clone(&self.args), self.meter.clone(), self.process.health.clone());
        // Components may read files when they are created, and the watches must not wait for that.
        let prepared = tokio::task::spawn_blocking(move || {
            let environment = &configuration::environment;
            let prepared = configuration::prepare_again(&sources, &args.source.set, environment, &meter, &health);
            let (prepared, findings) = prepared?;
            Ok((prepared, findings.check(args.strict)?))
        });
        let prepared: Result<(Prepared<TelemetryConfig>, Findings), Failure> = prepared
            .await
            .unwrap_or_else(|panic| Err(Failure::Runtime(format!("cannot create the components: {panic}"))));
        let (prepared, findings) = prepared.map_err(ReloadFailure::Configuration)?;
        let (done, result) = oneshot::channel();
        let reload = Reload {
            graph: prepared.graph,
            done,
        };
        let stopped = || ReloadFailure::Graph("the collector stops".into());
        self.process.graphs.send(reload).await.map_err(|_| stopped())?;
        let report = result.await.map_err(|_| stopped())?;
        Ok(Applied {
            report: report.map_err(|error| ReloadFailure::Graph(error.to_string()))?,
            findings,
            telemetry: prepared.telemetry,
        })
    }
}

impl ReloadFailure {
    /// The first error in one line.
    fn summary(&self) -> String {
        match self {
            ReloadFailure::Graph(error) => error.clone(),
            ReloadFailure::Configuration(Failure::Configuration(findings)) => {
                let Findings { errors, warnings, .. } = findings;
                let all = if errors.is_empty() { warnings } else { errors };
                let first = all.0.first().map(|first| {
                    let help = first.help.as_deref().unwrap_or_default();
                    let separator = if help.is_empty() { "" } else { "; " };
                    let line = collector_config::Diagnostic {
                        help: None,
                        ..first.clone()
                    };
                    format!("{line}{separator}{help}")
                });
                let more = all.0.len().saturating_sub(1);
                let more = if more > 0 {
                    format!(" (and {more} more)")
                } else {
                    String::new()
                };
                first.unwrap_or_default() + &more
            }
            ReloadFailure::Configuration(Failure::Runtime(error) | Failure::Usage(error)) => error.clone(),
            ReloadFailure::Configuration(failure) => failure.to_string(),
        }
    }
}

/// Waits for the signal; forever if it cannot be received.
async fn received(hangup: &mut Option<Signal>) {
    let received = match hangup {
        Some(hangup) => hangup.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending().await
    }
}

/// Reads the files until they hold a new configuration; forever without a watch. Can be dropped at any time.
async fn changed(watch: &mut Option<Watch>, args: &Arc<RunArgs>) -> Result<Vec<Source>, Failure> {
    let Some(watch) = watch else {
        return std::future::pending().await;
    };
    loop {
        sleep(watch.pause()).await;
        let read = read(args).await;
        if watch.observe(Reading::of(&read), Instant::now()) {
            return read;
        }
    }
}

/// Reads the files on another thread: a network file system may block.
async fn read(args: &Arc<RunArgs>) -> Result<Vec<Source>, Failure> {
    let args = Arc::clone(args);
    let read = tokio::task::spawn_blocking(move || {
        configuration::can_be_read_again(&args.source).map_err(Failure::Runtime)?;
        configuration::sources(&args.source)
    });
    read.await
        .unwrap_or_else(|error| Err(Failure::Runtime(format!("cannot read the configuration: {error}"))))
}
