//! The command line of `explain`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use collector_config::Duration;
use jiff::SignedDuration;

use super::{ClusterArgs, Format};

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  kube-job-collector explain nightly-29924437 -n shop
  kube-job-collector explain cronjob/nightly -n shop      its runs, newest first
  kube-job-collector explain nightly-29924437 --logs      with the log
  kube-job-collector explain --all-failed -A --since 24h
  kube-job-collector explain --stalled -A                 every stalled Job
  kube-job-collector explain --recording r.jsonl.gz       without a cluster
  kube-job-collector explain --recording r.jsonl.gz --events --stalled-after 30s

Read-only: lists Jobs, CronJobs, Pods and Events and, with --logs, gets
the log of a Pod. As a plugin of kubectl:
  ln -s \"$(command -v kube-job-collector)\" ~/bin/kubectl-why_job
  kubectl why-job nightly-29924437 -n shop

Exit codes:
  0  no Job failed (with --recording: the recording could be read)
  1  at least one Job failed (with --recording: it could not be read)
  2  unknown: not found, forbidden or unreachable; the message says what to do
  3  no Job failed, but one is stalled, or a CronJob missed runs";

pub(super) const PLUGIN_HELP: &str = "\
Examples:
  kubectl why-job nightly-29924437 -n shop       why did this Job fail?
  kubectl why-job cronjob/nightly -n shop        its runs that still exist
  kubectl why-job nightly-29924437 --logs        with the log of what failed
  kubectl why-job --all-failed -A --since 24h    everything that failed since
                                                 yesterday
  kubectl why-job --stalled -A                   every stalled Job

Read-only: lists Jobs, CronJobs, Pods and Events and, with --logs, gets
the log of a Pod.

Exit codes:
  0  no Job failed
  1  at least one Job failed
  2  unknown: not found, forbidden or unreachable; the message says what to do
  3  no Job failed, but one is stalled, or a CronJob missed runs";

/// The Job to explain.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["target", "all_failed", "stalled", "recording"]))]
pub(crate) struct ExplainArgs {
    /// A Job: NAME or job/NAME; or the runs of a CronJob, newest first: cronjob/NAME
    #[arg(value_name = "NAME", value_parser = target)]
    pub target: Option<ExplainTarget>,
    /// Every Job that has failed and still exists, newest first
    #[arg(long)]
    pub all_failed: bool,
    /// Every unfinished Job that makes no progress, the longest stall first
    #[arg(long)]
    pub stalled: bool,
    /// Only Jobs that failed, or stalls that began, within this duration: 30m, 24h
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["target", "recording"])]
    pub since: Option<Duration>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "target", "recording"])]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Also the last 20 lines of the log of the container that failed
    #[arg(long, conflicts_with = "recording")]
    pub logs: bool,
    /// A recording instead of a cluster: one watch event a line, .jsonl or .jsonl.gz; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["namespace", "kubeconfig", "context"])]
    pub recording: Option<PathBuf>,
    /// `text` for people, `json` for one record a line
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// With --recording: also show Jobs that had not finished when the recording ended
    #[arg(long, conflicts_with_all = ["target", "all_failed", "stalled"])]
    pub all: bool,
    /// With --recording: every event that the collector would emit, in order of time, instead of the Jobs
    #[arg(long, requires = "recording", conflicts_with_all = ["target", "all_failed", "stalled", "all"])]
    pub events: bool,
    /// How long a Job must make no progress to count as stalled, for every cause: 30s, 5m
    /// [default: 2m; with --events, the defaults of the collector]
    #[arg(long, value_name = "DURATION", conflicts_with = "all_failed")]
    pub stalled_after: Option<Duration>,
}

impl ExplainArgs {
    /// `--stalled-after`.
    pub(crate) fn stalled_after(&self) -> Option<SignedDuration> {
        let after = self.stalled_after?.get();
        Some(SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX))
    }
}

/// Whose Jobs to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExplainTarget {
    /// The Job of that name.
    Job(String),
    /// The Jobs of the CronJob of that name.
    CronJob(String),
}

/// Reads `NAME`, `job/NAME` or `cronjob/NAME`, with the kind as kubectl knows and prints it (`job.batch/NAME`).
fn target(text: &str) -> Result<ExplainTarget, String> {
    let (kind, name) = match text.split_once('/') {
        None => ("job", text),
        Some((kind, name)) => (kind, name),
    };
    let kind = kind.to_ascii_lowercase();
    let kind = kind.split('.').next().unwrap_or_default();
    // The characters of a Kubernetes name; anything else would be a selector or a path.
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!(
            "{name:?} cannot be the name of a Job: expected lower case letters, digits, '-' and '.'"
        ));
    }
    match kind {
        "job" | "jobs" => Ok(ExplainTarget::Job(name.into())),
        "cronjob" | "cronjobs" | "cj" => Ok(ExplainTarget::CronJob(name.into())),
        _ => Err(format!(
            "expected NAME, job/NAME or cronjob/NAME, found the kind {kind:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn targets_are_written_as_kubectl_writes_them() {
        let job = Ok(ExplainTarget::Job("a-1".into()));
        for text in ["a-1", "job/a-1", "jobs/a-1", "job.batch/a-1", "jobs.v1.batch/a-1"] {
            assert_eq!(target(text), job, "{text}");
        }
        for text in ["cronjob/a-1", "cj/a-1", "CronJob/a-1", "cronjob.batch/a-1"] {
            assert_eq!(target(text), Ok(ExplainTarget::CronJob("a-1".into())), "{text}");
        }
        for text in ["pod/a", "job/", "", "a,b", "job/a/b"] {
            assert!(target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn explain_needs_exactly_one_thing_to_explain() {
        let parse = |args: &str| Cli::try_parse_from(args.split(' ')).is_ok();
        assert!(parse("k explain a -n b --logs"));
        assert!(parse("k explain --all-failed -A --since 24h"));
        assert!(parse("k explain --stalled -A --since 1h --stalled-after 10m"));
        assert!(parse("k explain a --stalled-after 10m"));
        assert!(parse("k explain --recording r --all"));
        assert!(parse("k explain --recording r --events -o json --stalled-after 30s"));
        for wrong in [
            "k explain",
            "k explain a --all-failed",
            "k explain a --recording r",
            "k explain a -A",
            "k explain a --since 1h",
            "k explain a --all",
            "k explain -A",
            "k explain --all-failed -A -n b",
            "k explain --recording r --context c",
            "k explain a --events",
            "k explain --recording r --events --all",
            "k explain --all-failed --stalled-after 30s",
            "k explain --all-failed --stalled",
            "k explain a --stalled",
        ] {
            assert!(!parse(wrong), "{wrong}");
        }
    }
}
