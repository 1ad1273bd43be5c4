//! `run`: a pipeline until a signal ends it.

use std::time::Duration;

use collector_config::Source;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Failure, runtime};
use crate::cli::RunArgs;
use crate::configuration::{self, Prepared};
use crate::reload::{Process, Reloader, log_warnings};
use crate::telemetry::{LAST_LINES, LogWriter};

/// How long draining may take after SIGTERM: less than Kubernetes' default grace period of 30 s, so that undelivered
/// data can still be logged.
pub(crate) const GRACE: Duration = Duration::from_secs(25);

/// Variables that Datadog's Agent and OpenTelemetry SDKs read. People set them for every container of a cluster.
const IGNORED: [&str; 6] = [
    "DD_TAGS",
    "DD_ENV",
    "DD_SERVICE",
    "DD_VERSION",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
];

/// Those of [`IGNORED`] that are set and that no configuration file names. The processor `resourcedetection` reads all.
fn ignored_variables<'a>(
    set: impl Fn(&str) -> bool + 'a,
    files: &'a [&str],
) -> impl Iterator<Item = &'static str> + 'a {
    let is_named = move |name: &str| {
        let lines = files.iter().flat_map(|text| text.lines());
        let mut settings = lines.map(|line| line.split('#').next().unwrap_or_default());
        settings.any(|line| {
            [name, "resourcedetection", "resource_detection"]
                .iter()
                .any(|word| line.contains(word))
        })
    };
    IGNORED.into_iter().filter(move |name| set(name) && !is_named(name))
}

/// Runs the pipeline that the command line names until SIGTERM or SIGINT; SIGINT while it drains ends it at once. SIGHUP
/// reloads the configuration.
pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let runtime = runtime()?;
    // Before everything else: without a handler SIGHUP ends the process without draining.
    let hangup = {
        let _entered = runtime.enter();
        signal(SignalKind::hangup())
    };
    check_watch(args)?;
    let sources = configuration::sources(&args.source)?;
    let (prepared, findings) = configuration::prepare(&sources, &args.source.set, &configuration::environment)?;
    let findings = findings.check(args.strict)?;
    let Prepared {
        graph,
        telemetry,
        health,
    } = prepared;
    let log = telemetry.init_logs(None);
    log_warnings(&findings);
    log_start(args, &sources);
    let hangup = hangup.inspect_err(|error| warn!(%error, "cannot listen for SIGHUP: it will end the process"));
    let ended = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let writer = log.as_ref().map(|log| log.writer.clone());
        tokio::spawn(stop_on_signal(shutdown.clone(), writer));
        let drained = CancellationToken::new();
        let servers = telemetry.serve(&drained).await.map_err(Failure::Runtime)?;
        let (graphs, reloads) = mpsc::channel(1);
        let process = Process {
            args,
            telemetry: &telemetry,
            log: log.as_ref(),
            health,
            graphs,
        };
        let reloader = Reloader::new(process, sources);
        let ended = tokio::select! {
            ended = graph.run_with_reloads(shutdown, GRACE, reloads) => ended,
            never = reloader.run(hangup.ok()) => match never {},
        };
        drained.cancel();
        servers.join_all().await;
        ended.map_err(|error| match log {
            Some(_) => Failure::Logged,
            None => Failure::Runtime(error.to_string()),
        })
    });
    // A component that blocks its thread must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    telemetry.shutdown();
    ended?;
    info!("stopped");
    Ok(())
}

/// Fails if `--watch-config` is set and the configuration is not in files.
fn check_watch(args: &RunArgs) -> Result<(), Failure> {
    match args.watch_config {
        None => Ok(()),
        Some(_) if args.source.config.is_empty() => Err(Failure::Usage(
            "--watch-config needs a file to watch; add --config FILE".into(),
        )),
        Some(_) => configuration::can_be_read_again(&args.source)
            .map_err(|reason| Failure::Usage(format!("--watch-config: {reason}"))),
    }
}

fn log_start(args: &RunArgs, sources: &[Source]) {
    let texts: Vec<&str> = sources.iter().map(|source| &*source.text).collect();
    for variable in ignored_variables(|name| std::env::var_os(name).is_some(), &texts) {
        warn!(
            variable,
            "environment variable has no effect; the processor resourcedetection would add it to the data"
        );
    }
    if args.source.config.is_empty() {
        info!("no --config given: running the built-in pipeline (print-config shows it)");
    }
    let files: Vec<String> = args
        .source
        .config
        .iter()
        .chain(&args.source.add_config)
        .map(|path| path.display().to_string())
        .collect();
    let config = (!files.is_empty()).then(|| files.join(", "));
    info!(version = env!("CARGO_PKG_VERSION"), config, "starting");
}

async fn stop_on_signal(shutdown: CancellationToken, log: Option<LogWriter>) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        warn!("cannot listen for signals: the process will end without draining the pipeline");
        return;
    };
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!(
        signal = name,
        grace_seconds = GRACE.as_secs(),
        "shutting down: draining data in flight"
    );
    shutdown.cancel();
    // A user at a terminal may not want to wait. A second SIGTERM is ignored: some supervisors send it twice.
    interrupt.recv().await;
    warn!("SIGINT while draining: stopping without draining");
    if let Some(log) = log {
        log.flush(LAST_LINES);
    }
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_other_agents_are_named_unless_used() {
        let found = |files: &[&str]| ignored_variables(|name| name.starts_with("DD_"), files).collect::<Vec<_>>();
        assert_eq!(found(&[""]), ["DD_TAGS", "DD_ENV", "DD_SERVICE", "DD_VERSION"]);
        assert_eq!(found(&["env: ${env:DD_ENV}"]), ["DD_TAGS", "DD_SERVICE", "DD_VERSION"]);
        assert_eq!(found(&["# resourcedetection reads DD_TAGS"]).len(), 4);
        assert!(found(&["", "processors:\n  resource_detection/env:"]).is_empty());
        assert!(found(&[configuration::BUILT_IN]).is_empty());
    }
}
