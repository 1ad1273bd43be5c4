//! The command line of `explain`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use collector_config::Duration;
use jiff::SignedDuration;

use super::{ClusterArgs, Format};
use crate::in_cluster::CollectorService;

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  kube-job-collector explain nightly-29924437 -n shop
  kube-job-collector explain cronjob nightly -n shop      its runs, newest first
  kube-job-collector explain load-a load-b cronjob/nightly -n shop
  kube-job-collector explain -l app=etl -n shop           by label
  kube-job-collector explain nightly-29924437 --watch     until it has ended
  kube-job-collector explain --all-failed -A --since 24h
  kube-job-collector explain --stalled -A                 every stalled Job
  kube-job-collector explain --recording r.jsonl.gz       without a cluster
  kube-job-collector explain --recording r.jsonl.gz --events --stalled-after 30s

Read-only: lists Jobs, CronJobs, Pods and Events, gets the events of deleted
Jobs from the collector in the cluster and, with --logs, the log of a Pod.
As a plugin of kubectl:
  ln -s \"$(command -v kube-job-collector)\" ~/bin/kubectl-why_job
  kubectl why-job nightly-29924437 -n shop

Exit codes; of several Jobs the first that applies, in the order 1, 2, 3, 0:
  0  no Job failed (with --recording: the recording could be read)
  1  at least one Job failed (with --recording: it could not be read)
  2  unknown: not found, forbidden or unreachable; the message says what to do
  3  no Job failed, but one is stalled, or a CronJob missed runs";

pub(super) const PLUGIN_HELP: &str = "\
Examples:
  kubectl why-job nightly-29924437 -n shop       why did this Job fail?
  kubectl why-job cronjob nightly -n shop        its latest runs
  kubectl why-job -l app=etl -n shop             by label
  kubectl why-job nightly-29924437 --watch       until it has ended
  kubectl why-job nightly-29924437 --logs        with the log of what failed
  kubectl why-job --all-failed -A --since 24h    everything that failed since
                                                 yesterday
  kubectl why-job --stalled -A                   every stalled Job

Read-only: lists Jobs, CronJobs, Pods and Events, gets the events of deleted
Jobs from the collector in the cluster and, with --logs, the log of a Pod.

Exit codes; of several Jobs the first that applies, in the order 1, 2, 3, 0:
  0  no Job failed
  1  at least one Job failed
  2  unknown: not found, forbidden or unreachable; the message says what to do
  3  no Job failed, but one is stalled, or a CronJob missed runs";

/// The Jobs to explain.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["targets", "selector", "all_failed", "stalled", "recording"]))]
pub(crate) struct ExplainArgs {
    /// Jobs: NAME, job/NAME or `job NAME`; or CronJobs with their latest runs:
    /// cronjob/NAME or `cronjob NAME`
    #[arg(value_name = "NAME", conflicts_with_all = ["all_failed", "stalled", "recording"])]
    pub targets: Vec<String>,
    /// Only Jobs with these labels: app=etl,tier!=test; after `cronjobs` CronJobs
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "recording")]
    pub selector: Option<String>,
    /// Every Job that has failed, newest first: those that exist and those that the collector keeps
    #[arg(long, conflicts_with_all = ["stalled", "recording"])]
    pub all_failed: bool,
    /// Every unfinished Job that makes no progress, the longest stall first
    #[arg(long, conflicts_with = "recording")]
    pub stalled: bool,
    /// Only Jobs that failed, or stalls that began, within this duration: 30m, 24h
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["targets", "recording"])]
    pub since: Option<Duration>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "recording"])]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The collector to ask: the Service of its exporter `web`
    /// [default: kube-job-collector/kube-job-collector:web]
    #[arg(long, value_name = "NAMESPACE/SERVICE[:PORT]", conflicts_with_all = ["no_collector", "recording"])]
    pub collector: Option<CollectorService>,
    /// Explain from the objects of the cluster alone
    #[arg(long, conflicts_with = "recording")]
    pub no_collector: bool,
    /// Print the answer again when it changes, until the Jobs have ended; with --all-failed and
    /// --stalled print each new Job, until Ctrl-C
    #[arg(short, long, conflicts_with = "recording")]
    pub watch: bool,
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
    #[arg(long, requires = "recording", conflicts_with_all = ["targets", "selector", "all_failed", "stalled"])]
    pub all: bool,
    /// With --recording: every event that the collector would emit, in order of time, instead of the Jobs
    #[arg(long, requires = "recording", conflicts_with_all = ["targets", "selector", "all_failed", "stalled", "all"])]
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

    /// `--since`.
    pub(crate) fn since(&self) -> Option<SignedDuration> {
        SignedDuration::try_from(self.since?.get()).ok()
    }

    /// The names on the command line.
    ///
    /// # Errors
    /// A word that is no name, and names beside options that select without names.
    pub(crate) fn targets(&self) -> Result<ExplainTargets, String> {
        let (kind, names) = match self.targets.split_first() {
            // `cronjob nightly`, as kubectl reads it; a single word is a name, unless a selector takes its place.
            Some((word, names)) if !names.is_empty() || self.selector.is_some() => match kind(word) {
                Some(kind) => (kind, names),
                None => (TargetKind::Job, &*self.targets),
            },
            _ => (TargetKind::Job, &*self.targets),
        };
        if self.selector.is_some() {
            if self.since.is_some() && !self.all_failed && !self.stalled {
                return Err("--since requires --all-failed or --stalled".into());
            }
            return match names {
                [] => Ok(ExplainTargets::Selected(kind)),
                [name, ..] => Err(format!(
                    "found the name {name:?} beside --selector, expected one of both"
                )),
            };
        }
        if let Some(name) = names.first().filter(|_| self.all_namespaces) {
            return Err(format!(
                "found the name {name:?} beside --all-namespaces; name its namespace with -n"
            ));
        }
        let is_typed = names.len() < self.targets.len();
        let named = names.iter().map(|name| match name.contains('/') && is_typed {
            true => Err(format!("found {name:?} after a kind, expected a name without a kind")),
            false => target(name, kind),
        });
        let mut targets: Vec<ExplainTarget> = Vec::new();
        for target in named {
            let target = target?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        Ok(ExplainTargets::Named(targets))
    }
}

/// The names on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExplainTargets {
    /// These; none with `--all-failed` and `--stalled`.
    Named(Vec<ExplainTarget>),
    /// Those that the selector matches.
    Selected(TargetKind),
}

/// The kind of an object to explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Job,
    CronJob,
}

/// An object to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExplainTarget {
    /// The Job of that name.
    Job(String),
    /// The Jobs of the CronJob of that name.
    CronJob(String),
}

/// The kind as kubectl knows and prints it: `job`, `jobs`, `cj`, `cronjobs.batch`.
fn kind(word: &str) -> Option<TargetKind> {
    let word = word.to_ascii_lowercase();
    match word.split('.').next().unwrap_or_default() {
        "job" | "jobs" => Some(TargetKind::Job),
        "cronjob" | "cronjobs" | "cj" => Some(TargetKind::CronJob),
        _ => None,
    }
}

/// Reads `NAME`, which has the kind `default`, `job/NAME` or `cronjob/NAME`.
fn target(text: &str, default: TargetKind) -> Result<ExplainTarget, String> {
    let (found, name) = match text.split_once('/') {
        None => (Some(default), text),
        Some((word, name)) => (kind(word), name),
    };
    // The characters of a Kubernetes name; anything else would be a selector or a path.
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!(
            "{name:?} cannot be the name of a Job: expected lower case letters, digits, '-' and '.'"
        ));
    }
    match found {
        Some(TargetKind::Job) => Ok(ExplainTarget::Job(name.into())),
        Some(TargetKind::CronJob) => Ok(ExplainTarget::CronJob(name.into())),
        None => Err(format!("expected NAME, job/NAME or cronjob/NAME, found {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(line: &str) -> Result<ExplainTargets, String> {
        let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
        let Some(Command::Explain(args)) = cli.command else {
            panic!("{line}");
        };
        args.targets()
    }

    fn job(name: &str) -> ExplainTarget {
        ExplainTarget::Job(name.into())
    }

    fn cronjob(name: &str) -> ExplainTarget {
        ExplainTarget::CronJob(name.into())
    }

    #[test]
    fn targets_are_written_as_kubectl_writes_them() {
        for (line, expected) in [
            ("a-1", vec![job("a-1")]),
            ("job/a-1", vec![job("a-1")]),
            ("jobs.v1.batch/a-1", vec![job("a-1")]),
            ("job a-1", vec![job("a-1")]),
            ("cronjob/a-1", vec![cronjob("a-1")]),
            ("CronJob/a-1", vec![cronjob("a-1")]),
            ("cronjob.batch/a-1", vec![cronjob("a-1")]),
            ("cj a-1", vec![cronjob("a-1")]),
            ("a b cronjob/c a", vec![job("a"), job("b"), cronjob("c")]),
            ("cronjobs a b", vec![cronjob("a"), cronjob("b")]),
            // A Job may have the name of a kind.
            ("job", vec![job("job")]),
            ("cronjob cronjob", vec![cronjob("cronjob")]),
        ] {
            let line = format!("k explain {line}");
            assert_eq!(parse(&line), Ok(ExplainTargets::Named(expected)), "{line}");
        }
        for line in ["pod/a", "job/", "a,b", "job/a/b", "cronjob job/a", "job cronjob/a"] {
            assert!(parse(&format!("k explain {line}")).is_err(), "{line}");
        }
    }

    #[test]
    fn a_selector_takes_the_place_of_names() {
        let selected = |kind| Ok(ExplainTargets::Selected(kind));
        assert_eq!(parse("k explain -l app=a,b!=c -A"), selected(TargetKind::Job));
        assert_eq!(parse("k explain jobs -l app"), selected(TargetKind::Job));
        assert_eq!(parse("k explain cronjobs -l app"), selected(TargetKind::CronJob));
        assert_eq!(parse("k explain --all-failed -l app"), selected(TargetKind::Job));
        assert!(parse("k explain a -l app").is_err());
    }

    #[test]
    fn explain_needs_exactly_one_thing_to_explain() {
        let is_valid = |line: &str| parse(line).is_ok();
        for line in [
            "k explain a -n b --logs",
            "k explain --all-failed -A --since 24h",
            "k explain --stalled -A --since 1h --stalled-after 10m",
            "k explain a --stalled-after 10m --watch",
            "k explain --stalled -w --no-collector",
            "k explain a --collector obs/kjc:8090",
            "k explain --recording r --all",
            "k explain --recording r --events -o json --stalled-after 30s",
        ] {
            assert!(is_valid(line), "{line}");
        }
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
            "k explain --recording r --watch",
            "k explain --recording r -l a",
            "k explain a --events",
            "k explain --recording r --events --all",
            "k explain --all-failed --stalled-after 30s",
            "k explain --all-failed --stalled",
            "k explain a --stalled",
            "k explain a --collector kjc",
            "k explain a --collector obs/kjc --no-collector",
        ] {
            assert!(!is_valid(wrong), "{wrong}");
        }
    }
}
