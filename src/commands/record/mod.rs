//! `record`: writes the watch events of Jobs to a file, without secrets.

mod fields;
mod redact;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use job_watch::WatchError;
use job_watch::access;
use job_watch::raw::{self, RawUpdate};
use job_watch::watch::request::{NODE_EVENTS, PODS_OF_JOBS, Target};
use job_watch::{Kind, Source};
use kube::Client;
use pacing::{Line, LogPace};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::explain::client;
use super::{Failure, runtime};
use crate::cli::RecordArgs;
use crate::terminal::note;
use writer::RecordingWriter;

/// The capacity of the channel of changes.
const CAPACITY: usize = 256;
/// The interval of flushes.
const FLUSH: Duration = Duration::from_secs(1);
/// Thirty years: no end.
const NO_END: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Records until the duration has passed or a signal arrives. The file is complete then, and also after an error in the
/// middle of the recording.
pub(crate) fn record(args: &RecordArgs) -> Result<(), Failure> {
    let runtime = runtime()?;
    let client = runtime.block_on(client(&args.cluster)).map_err(Failure::Runtime)?;
    let namespace = args.cluster.namespace.as_deref().unwrap_or(client.default_namespace());
    let namespace = Some(namespace.to_owned()).filter(|_| !args.all_namespaces);
    let file = args.output.display();
    let fail = |error: std::io::Error| Failure::Runtime(format!("cannot write {file}: {error}"));
    let mut writer = RecordingWriter::create(&args.output).map_err(fail)?;
    let end = args.duration.map_or(NO_END, |duration| duration.get().min(NO_END));
    let recorded = runtime.block_on(watch(&client, &targets(namespace.as_deref()), end, &mut writer));
    runtime.shutdown_background();
    let lines = writer.finish().map_err(fail)?;
    match recorded {
        Ok(()) => {
            let changes = if lines == 1 {
                "change".into()
            } else {
                "changes".to_owned()
            };
            note(&format!(
                "Recorded {lines} {changes} in {file}. Before you share it, review the messages in it."
            ));
            Ok(())
        }
        Err(Stopped::Write(error)) => Err(fail(error)),
        Err(Stopped::Watch(problem)) => {
            if lines == 0 {
                // An empty recording would block the next attempt.
                let _ = std::fs::remove_file(&args.output);
            }
            Err(Failure::Runtime(problem))
        }
    }
}

/// The error that ended a recording.
enum Stopped {
    Write(std::io::Error),
    Watch(String),
}

/// The lists and watches. Events about Jobs, CronJobs and Pods are separate, since a field selector has no "or". Events
/// about nodes have no namespace, so they need all namespaces.
fn targets(namespace: Option<&str>) -> Vec<Target> {
    let target = |kind, labels: &str, fields: &str| Target {
        source: Source { kind, scope: 0 },
        namespace: namespace.map(str::to_owned),
        label_selector: labels.to_owned(),
        field_selector: fields.to_owned(),
        wanted: None,
        shard: None,
        shard_selector: String::new(),
    };
    let mut targets = vec![
        target(Kind::CronJobs, "", ""),
        target(Kind::Jobs, "", ""),
        target(Kind::Pods, PODS_OF_JOBS, ""),
        target(Kind::JobEvents, "", "involvedObject.kind=CronJob"),
        target(Kind::JobEvents, "", "involvedObject.kind=Job"),
        target(Kind::PodEvents, "", "involvedObject.kind=Pod"),
    ];
    if namespace.is_none() {
        targets.push(target(Kind::NodeEvents, "", NODE_EVENTS));
    }
    targets
}

/// Watches and writes until the end. Existing objects are listed first, owners before the objects that they own.
async fn watch(
    client: &Client,
    targets: &[Target],
    end: Duration,
    writer: &mut RecordingWriter,
) -> Result<(), Stopped> {
    let unusable = |error: std::io::Error| Stopped::Watch(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(unusable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unusable)?;
    let end = sleep_until(Instant::now() + end);
    tokio::pin!(end);
    let mut flush = interval(FLUSH);
    let (sender, mut updates) = mpsc::channel(CAPACITY);
    let mut watches = JoinSet::new();
    let mut progress = Progress::default();
    loop {
        // The next list starts when the previous one is complete or has failed.
        let started = watches.len();
        if progress.unlisted.is_empty()
            && let Some(target) = targets.get(started)
        {
            watches.spawn(raw::run(client.clone(), target.clone(), started, sender.clone()));
            progress.unlisted.insert(started);
            if started + 1 == targets.len() {
                note(&format!("Recording {}; Ctrl-C ends it.", place(target)));
            }
        }
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut end => break,
            // A killed process loses little.
            _ = flush.tick() => writer.flush().map_err(Stopped::Write)?,
            Some((from, update)) = updates.recv() => receive(targets, from, update, &mut progress, writer)?,
        }
    }
    // Updates that have arrived are part of the recording.
    watches.abort_all();
    while let Ok((from, update)) = updates.try_recv() {
        receive(targets, from, update, &mut progress, writer)?;
    }
    Ok(())
}

/// The progress of the watches.
#[derive(Default)]
struct Progress {
    /// The watches whose first list is neither complete nor failed.
    unlisted: BTreeSet<usize>,
    /// The last problem printed for each watch.
    problems: BTreeMap<usize, String>,
    /// Paces the notes about skipped objects.
    skipped: LogPace,
}

/// Writes an update of a watch, or prints its problem.
fn receive(
    targets: &[Target],
    from: usize,
    update: RawUpdate,
    progress: &mut Progress,
    writer: &mut RecordingWriter,
) -> Result<(), Stopped> {
    let Some(target) = targets.get(from) else { return Ok(()) };
    match update {
        RawUpdate::Object(change, object) => writer
            .write(target.source.kind.resource(), change.as_str(), object)
            .map_err(Stopped::Write)?,
        RawUpdate::Skipped(problem) => {
            if let Some(Line { held_back }) = progress.skipped.failed(Instant::now()) {
                let more = match held_back {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                note(&format!("not recorded: {problem}{more}"));
            }
        }
        RawUpdate::Listed => {
            progress.problems.remove(&from);
            progress.unlisted.remove(&from);
        }
        RawUpdate::Failed(failure) => {
            let problem = refused(target, &failure);
            let first = progress.unlisted.remove(&from);
            if first && target.source.kind == Kind::Jobs {
                return Err(Stopped::Watch(problem));
            }
            // Each watch retries by itself; a lasting problem is printed once.
            if progress.problems.insert(from, problem.clone()).as_ref() != Some(&problem) {
                note(&format!("{problem}\nRetrying; the rest is recorded."));
            }
        }
    }
    Ok(())
}

fn place(target: &Target) -> String {
    match &target.namespace {
        Some(namespace) => format!("namespace {namespace:?}"),
        None => "all namespaces".into(),
    }
}

fn refused(target: &Target, failure: &WatchError) -> String {
    let what = target.describe();
    match failure {
        WatchError::Status { code: 403, .. } => {
            let rule = access::rule(target).replace("add to its", "add to your");
            format!("cannot record {what}: {failure}\nAsk a cluster administrator: {rule}")
        }
        _ => format!("cannot record {what}: {failure}"),
    }
}
