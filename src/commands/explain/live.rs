//! `explain` of a cluster, from the objects that exist now.

use std::cmp::Reverse;

use collector_config::Duration;
use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_judge::judge_at;
use job_watch::Kind;
use job_watch::access;
use job_watch::client::{AuthType, connect};
use job_watch::snapshot::Snapshot;
use job_watch::version::ServerVersion;
use kube::Client;

use super::cronjob::CronJobEvents;
use super::find::Finder;
use super::gone::RUNS;
use super::overview::Overview;
use super::{ExplainAnswer, Explained, Report, answer, logs, notes, stalled};
use crate::cli::{ClusterArgs, ExplainArgs, ExplainTarget, Format};
use crate::commands::{Failure, print, runtime};
use crate::terminal::note;

/// Explains the Jobs named on the command line.
pub(super) fn explain(args: &ExplainArgs) -> Result<ExplainAnswer, Failure> {
    if args.logs && args.output == Format::Json {
        return Err(Failure::CouldNotTell(
            "--logs requires text output; remove -o json or --logs".into(),
        ));
    }
    runtime()?.block_on(look(args, Timestamp::now()))
}

/// A client for the cluster that the command line names.
pub(crate) async fn client(cluster: &ClusterArgs) -> Result<Client, String> {
    let ClusterArgs {
        kubeconfig, context, ..
    } = cluster;
    let connected = connect(AuthType::Auto, kubeconfig.as_deref(), context.as_deref()).await;
    connected
        .map(|connected| connected.client)
        .map_err(|error| format!("{error}\n--kubeconfig and --context (or $KUBECONFIG) select the cluster"))
}

async fn look(args: &ExplainArgs, now: Timestamp) -> Result<ExplainAnswer, Failure> {
    let client = client(&args.cluster).await.map_err(Failure::CouldNotTell)?;
    let namespace = args.cluster.namespace.as_deref().unwrap_or(client.default_namespace());
    let finder = Finder {
        client: &client,
        namespace: Some(namespace).filter(|_| !args.all_namespaces),
    };
    let (version, snapshot) = tokio::join!(version(&client, args.output), find(finder, args, now));
    let (snapshot, runs) = snapshot.map_err(Failure::CouldNotTell)?;
    warn(&snapshot);
    for problem in &runs.problems {
        note(&format!("Event of the CronJob: {problem}"));
    }
    let overview = overview(&snapshot, args, now);
    let has_jobs = snapshot.count(Kind::Jobs) > 0;
    let mut unanswered = None;
    let mut evidence = Vec::new();
    match &args.target {
        Some(ExplainTarget::CronJob(name)) if !has_jobs && runs.runs.is_empty() => {
            unanswered = Some(finder.no_run(&snapshot, name, &runs));
        }
        Some(ExplainTarget::CronJob(name)) if !has_jobs => {
            evidence = job_tracker::snapshot::evidence(snapshot, now);
            add_runs(&mut evidence, &runs, namespace, name);
            unanswered = evidence.is_empty().then(|| unfinished_runs(&runs, name));
        }
        _ => evidence = job_tracker::snapshot::evidence(snapshot, now),
    }
    let after = stalled::threshold(args);
    let explained = |evidence| explained(evidence, after, now);
    let mut jobs: Vec<Explained> = evidence.into_iter().map(explained).collect();
    if args.stalled {
        let unfinished = jobs.len();
        jobs.retain(|job| job.stalled_since.is_some_and(|since| is_within(args.since, since, now)));
        if jobs.is_empty() {
            note(&none_stalled(args, &finder.place(), unfinished));
        }
    }
    sort(&mut jobs, args);
    let mut out = Report::new(args.output);
    for job in &mut jobs {
        if args.logs {
            job.log = logs::of(&client, job, now).await;
        }
        out.add(job)?;
    }
    let mut answer = answer(&jobs);
    if let Some(mut overview) = overview {
        overview.add_runs(&jobs, &runs);
        out.add_overview(&overview)?;
        if overview.has_missed() {
            unanswered.take().iter().for_each(|problem| note(problem));
            answer = answer.or_stalled();
        }
    }
    if let Some(version) = version.filter(|_| !out.text.is_empty()) {
        out.text.push_str(&format!("\nServer Version: {version}\n"));
        if let Some(caveat) = version.caveat() {
            note(&format!("About Kubernetes {version}: {caveat}."));
        }
    }
    print(&out.text)?;
    match unanswered {
        Some(problem) => Err(Failure::CouldNotTell(problem)),
        None => Ok(answer),
    }
}

/// The CronJob named on the command line.
fn overview(snapshot: &Snapshot, args: &ExplainArgs, now: Timestamp) -> Option<Overview> {
    let Some(ExplainTarget::CronJob(_)) = args.target else {
        return None;
    };
    let missed = job_tracker::snapshot::missed_runs(snapshot, now);
    Some(Overview::new(snapshot.cronjobs().next()?, &missed, now))
}

/// The longest stall first; else the latest failure or the newest Job first.
fn sort(jobs: &mut [Explained], args: &ExplainArgs) {
    if args.stalled {
        return jobs.sort_by_key(|job| job.stalled_since);
    }
    jobs.sort_by_key(
        |Explained {
             evidence: Evidence { job, .. },
             ..
         }| {
            let decided = job.decided_at().filter(|_| args.all_failed);
            Reverse(decided.or(job.created).or(job.decided_at()))
        },
    );
}

/// The server's version, for text output only; records do not have it.
async fn version(client: &Client, format: Format) -> Option<ServerVersion> {
    match format {
        Format::Text => ServerVersion::read(client).await,
        Format::Json => None,
    }
}

/// The Jobs named on the command line, with everything about them.
async fn find(finder: Finder<'_>, args: &ExplainArgs, now: Timestamp) -> Result<(Snapshot, CronJobEvents), String> {
    match &args.target {
        Some(ExplainTarget::Job(name)) => Ok((finder.job(name).await?, CronJobEvents::default())),
        Some(ExplainTarget::CronJob(name)) => finder.cronjob(name).await,
        None if args.stalled => Ok((finder.all_unfinished().await?, CronJobEvents::default())),
        None => {
            let since = args.since.and_then(|since| SignedDuration::try_from(since.get()).ok());
            let (snapshot, looked_at) = finder.all_failed(since, now).await?;
            if snapshot.count(Kind::Jobs) == 0 {
                note(&none_failed(args, &finder.place(), looked_at));
            }
            Ok((snapshot, CronJobEvents::default()))
        }
    }
}

/// True if a stall began within `--since`.
fn is_within(since: Option<Duration>, began: Timestamp, now: Timestamp) -> bool {
    let since = since.and_then(|since| SignedDuration::try_from(since.get()).ok());
    since.is_none_or(|since| now.duration_since(began) <= since)
}

fn none_stalled(args: &ExplainArgs, place: &str, unfinished: usize) -> String {
    let answer = match args.since {
        Some(since) => format!("No stall began in {place} in the last {since}"),
        None => format!("No Job is stalled in {place}"),
    };
    let jobs = if unfinished == 1 { "Job" } else { "Jobs" };
    format!("{answer} ({unfinished} unfinished {jobs}).")
}

fn none_failed(args: &ExplainArgs, place: &str, looked_at: usize) -> String {
    let since = match args.since {
        Some(since) => format!(" in the last {}", since),
        None => String::new(),
    };
    let jobs = if looked_at == 1 { "Job" } else { "Jobs" };
    format!("No Job failed in {place}{since}, of {looked_at} {jobs} that still exist.")
}

/// Prints a note for evidence that is missing for every Job. CronJobs add nothing to the verdict on a Job that still exists.
fn warn(snapshot: &Snapshot) {
    let refused = |kind| snapshot.forbidden.contains(&kind);
    if refused(Kind::Pods) {
        note(&format!("Not allowed to list Pods: {}.", access::loss(Kind::Pods)));
    }
    if refused(Kind::JobEvents) || refused(Kind::PodEvents) {
        note(&format!(
            "Not allowed to list Events: {}.",
            access::loss(Kind::JobEvents)
        ));
    }
    for problem in &snapshot.undecodable {
        note(&format!("skipped an unreadable object: {problem}"));
    }
}

/// The error for deleted runs without a known outcome.
fn unfinished_runs(found: &CronJobEvents, cronjob: &str) -> String {
    let runs: String = found.runs.iter().rev().map(|run| format!("\n  {run}")).collect();
    format!("no run of CronJob {cronjob:?} exists, and no Event has the outcome of a run; its Events name:{runs}")
}

/// Adds the runs of a CronJob whose own Events are gone.
fn add_runs(evidence: &mut Vec<Evidence>, found: &CronJobEvents, namespace: &str, cronjob: &str) {
    for run in found.runs.iter().take(RUNS) {
        if evidence.iter().all(|known| *known.job.name != *run.name) {
            evidence.extend(run.evidence(namespace, cronjob));
        }
    }
}

fn explained(evidence: Evidence, after: SignedDuration, now: Timestamp) -> Explained {
    let mut judgement = judge_at(&evidence, now);
    let stalled_since = stalled::add(&evidence, &mut judgement, after, now);
    Explained {
        notes: notes::notes(&evidence, &judgement, now),
        judgement,
        evidence,
        stalled_since,
        log: None,
    }
}
