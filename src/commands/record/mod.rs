//! `record`: what happens to Jobs, written down as the API server tells it.

mod redact;
mod writer;

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use kubernetes_job_receiver::access;
use kubernetes_job_receiver::raw::{self, RawReport};
use kubernetes_job_receiver::tracker::{Kind, Source};
use kubernetes_job_receiver::watch::machine::Failure as Refusal;
use kubernetes_job_receiver::watch::request::Target;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::explain::client;
use super::{Failure, runtime};
use crate::cli::RecordArgs;
use writer::Writer;

/// How many changes may wait to be written.
const WAITING: usize = 256;
/// As good as for ever: thirty years.
const NO_END: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Records until the time is over or a signal comes. The file is complete then, and also if the recording ends in an
/// error after it has begun.
pub fn record(args: &RecordArgs) -> Result<(), Failure> {
    let runtime = runtime()?;
    let client = runtime.block_on(client(&args.cluster)).map_err(Failure::Runtime)?;
    let namespace = args.cluster.namespace.as_deref().unwrap_or(client.default_namespace());
    let namespace = Some(namespace.to_owned()).filter(|_| !args.all_namespaces);
    let file = args.output.display();
    let fail = |error: std::io::Error| Failure::Runtime(format!("cannot write {file}: {error}"));
    let mut writer = Writer::create(&args.output).map_err(fail)?;
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
            eprintln!(
                "Recorded {lines} {changes} in {file}. Before you hand it on, look at its messages and commands."
            );
            Ok(())
        }
        Err(Stopped::Write(error)) => Err(fail(error)),
        Err(Stopped::Watch(problem)) => {
            if lines == 0 {
                // An empty recording is of no use, and would be in the way of the next try.
                let _ = std::fs::remove_file(&args.output);
            }
            Err(Failure::Runtime(problem))
        }
    }
}

/// Why a recording ended early.
enum Stopped {
    Write(std::io::Error),
    Watch(String),
}

/// What is watched. Of Events those about Jobs, CronJobs and Pods, each kind by itself: a selector has no "or".
fn targets(namespace: Option<&str>) -> Vec<Target> {
    let target = |kind, labels: &str, fields: &str| Target {
        source: Source { kind, scope: 0 },
        namespace: namespace.map(str::to_owned),
        label_selector: labels.to_owned(),
        field_selector: fields.to_owned(),
    };
    vec![
        target(Kind::CronJobs, "", ""),
        target(Kind::Jobs, "", ""),
        target(Kind::Pods, "batch.kubernetes.io/job-name", ""),
        target(Kind::JobEvents, "", "involvedObject.kind=CronJob"),
        target(Kind::JobEvents, "", "involvedObject.kind=Job"),
        target(Kind::PodEvents, "", "involvedObject.kind=Pod"),
    ]
}

/// Watches and writes until the end. What exists is listed first, owners before what they own.
async fn watch(client: &Client, targets: &[Target], end: Duration, writer: &mut Writer) -> Result<(), Stopped> {
    let unusable = |error: std::io::Error| Stopped::Watch(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(unusable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unusable)?;
    let end = sleep_until(Instant::now() + end);
    tokio::pin!(end);
    let (sender, mut reports) = mpsc::channel(WAITING);
    let mut watches = JoinSet::new();
    let mut unlisted = BTreeSet::new();
    let mut next = 0;
    loop {
        // The next list begins when the one before is in, or cannot be had.
        if unlisted.is_empty()
            && let Some(target) = targets.get(next)
        {
            watches.spawn(raw::run(client.clone(), target.clone(), next, sender.clone()));
            unlisted.insert(next);
            next += 1;
            if next == targets.len() {
                eprintln!("Recording {}; Ctrl-C ends it.", place(target));
            }
        }
        let (from, report) = tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = &mut end => return Ok(()),
            Some(report) = reports.recv() => report,
        };
        let Some(target) = targets.get(from) else { continue };
        match report {
            RawReport::Object(change, object) => writer
                .write(target.source.kind.resource(), change.as_str(), object)
                .map_err(Stopped::Write)?,
            RawReport::Listed => {
                unlisted.remove(&from);
            }
            RawReport::Failed(failure) => {
                let first = unlisted.remove(&from);
                if first && target.source.kind == Kind::Jobs {
                    return Err(Stopped::Watch(refused(target, &failure)));
                }
                eprintln!("{} (trying again)", refused(target, &failure));
            }
        }
    }
}

fn place(target: &Target) -> String {
    match &target.namespace {
        Some(namespace) => format!("namespace {namespace:?}"),
        None => "all namespaces".into(),
    }
}

fn refused(target: &Target, failure: &Refusal) -> String {
    let what = target.describe();
    match failure {
        Refusal::Status { code: 403, .. } => {
            let rule = access::rule(target).replace("add to its", "ask for, in your");
            format!("cannot record {what}: {failure}\n{rule}")
        }
        _ => format!("cannot record {what}: {failure}"),
    }
}
