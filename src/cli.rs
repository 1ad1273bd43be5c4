//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use collector_config::Duration;
use jiff::SignedDuration;

#[cfg(feature = "demo")]
use crate::commands::demo::DemoArgs;

#[cfg(feature = "demo")]
const DEMO_EXAMPLE: &str = "\n  kube-job-collector demo                      see it work, without a cluster";
#[cfg(not(feature = "demo"))]
const DEMO_EXAMPLE: &str = "";

const EXAMPLES: &str = "
  kube-job-collector explain nightly-29924437  why did this Job fail?
  kube-job-collector explain --recording r.jsonl.gz
  kube-job-collector validate pipeline.yaml
  kube-job-collector -c pipeline.yaml          run a pipeline
  DD_API_KEY=… kube-job-collector run          the built-in one, for Datadog

Exit codes (explain has its own, see `explain --help`):
  0  done, or stopped by a signal and drained
  1  failed to start, or stopped unexpectedly; the message names the component
     and the reason
  2  invalid command line
  3  invalid configuration: every error has its file, line and column";

fn examples() -> String {
    format!("Examples:{DEMO_EXAMPLE}{EXAMPLES}")
}

/// Reports failed Kubernetes Jobs, and why they failed, over OTLP.
#[derive(Debug, Parser)]
#[command(name = "kube-job-collector", version, after_help = examples(), subcommand_negates_reqs = true)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// The command; `run` by default.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Arguments of `run`, when no command is given.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline until SIGTERM or SIGINT (the default command)
    Run(RunCommand),
    /// Check a configuration without running it; needs no network
    Validate(ValidateArgs),
    /// Print the configuration as it would run, merged and with secrets redacted
    #[command(alias = "print-initial-config")]
    PrintConfig(FileArgs),
    /// Print the version
    Version,
    /// List every component in this binary
    Components,
    /// Run failing Jobs on a simulated cluster through the shipped pipeline and print the events
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Explain why a Job failed: in the current context of the kubeconfig, or in a recording
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Record Jobs, their Pods and Events, to explain or share later
    Record(RecordArgs),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// A configuration file, or `-` for standard input; several are merged, later ones win
    /// [default: the built-in pipeline, for Datadog]
    #[arg(short, long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Set one key, after all files: --set connectors.job_metrics.interval=30s
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Arguments of `run`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Treat warnings as errors: exit with code 3 before anything starts
    #[arg(long)]
    pub strict: bool,
}

/// The command `run`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    run: RunArgs,
    /// The same as --config FILE
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl From<RunCommand> for RunArgs {
    fn from(command: RunCommand) -> Self {
        let mut run = command.run;
        run.source.config.extend(command.files);
        run
    }
}

/// The configuration to validate.
#[derive(Args, Clone, Debug)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub source: FileArgs,
    /// Treat warnings as errors: exit code 3
    #[arg(long)]
    pub strict: bool,
    /// Skip environment variables that are not set: for CI without the secrets
    #[arg(long)]
    pub skip_env: bool,
}

/// As [`ConfigArgs`], where files can also be given without `--config`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FileArgs {
    /// The same as --config FILE
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl From<FileArgs> for ConfigArgs {
    fn from(args: FileArgs) -> Self {
        let mut config = args.config;
        config.config.extend(args.files);
        config
    }
}

/// Explains why a Kubernetes Job failed.
#[derive(Debug, Parser)]
#[command(name = "kubectl why-job", bin_name = "kubectl why-job", version, after_help = PLUGIN_HELP)]
struct Plugin {
    #[command(flatten)]
    explain: ExplainArgs,
}

impl Cli {
    /// Reads the process's command line; ends the process with code 2 if it is wrong, with 0 after `--help`. Called
    /// by the name of a kubectl plugin (`kubectl-why_job`, a link to this binary), the command is `explain`.
    pub(crate) fn read() -> Cli {
        let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
        if is_plugin(&name) {
            return Cli {
                command: Some(Command::Explain(Plugin::parse().explain)),
                run: RunArgs::default(),
            };
        }
        Cli::parse_from(std::env::args_os().map(with_two_dashes))
    }
}

/// Go programs take `-config`, and the Collector is one.
fn with_two_dashes(argument: OsString) -> OsString {
    let Some(text) = argument.to_str() else { return argument };
    let (name, _) = text.split_once('=').unwrap_or((text, ""));
    match name {
        "-config" | "-set" => format!("-{text}").into(),
        _ => argument,
    }
}

/// True if the binary was called as a plugin of kubectl: `kubectl-why`, `kubectl-why_job`, ...
fn is_plugin(name: &Path) -> bool {
    let name = name.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with("kubectl-why"))
}

/// Which cluster, and where in it.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ClusterArgs {
    /// The namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The kubeconfig [default: $KUBECONFIG, else ~/.kube/config, else, in a Pod, its service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

const EXPLAIN_HELP: &str = "\
Examples:
  kube-job-collector explain nightly-29924437 -n shop
  kube-job-collector explain cronjob/nightly -n shop      its runs, newest first
  kube-job-collector explain nightly-29924437 --logs      with the log
  kube-job-collector explain --all-failed -A --since 24h
  kube-job-collector explain --stalled -A                 what is stuck?
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
  3  no Job failed, but one is not finished and stalled";

const PLUGIN_HELP: &str = "\
Examples:
  kubectl why-job nightly-29924437 -n shop       why did this Job fail?
  kubectl why-job cronjob/nightly -n shop        its runs that still exist
  kubectl why-job nightly-29924437 --logs        with the log of what failed
  kubectl why-job --all-failed -A --since 24h    everything that failed since
                                                 yesterday
  kubectl why-job --stalled -A                   what is stuck?

Read-only: lists Jobs, CronJobs, Pods and Events and, with --logs, gets
the log of a Pod.

Exit codes:
  0  no Job failed
  1  at least one Job failed
  2  unknown: not found, forbidden or unreachable; the message says what to do
  3  no Job failed, but one is not finished and stalled";

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
    /// With --recording: every event that the collector would emit, in order, instead of the Jobs
    #[arg(long, requires = "recording", conflicts_with_all = ["target", "all_failed", "stalled", "all"])]
    pub events: bool,
    /// How long a Job makes no progress before it counts as stalled, whatever the cause: 30s, 5m
    /// [default: 2m; with --events as in the collector]
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

const RECORD_HELP: &str = "\
Examples:
  kube-job-collector record -o nightly.jsonl.gz -n shop --for 10m
  kube-job-collector explain --recording nightly.jsonl.gz

Records Jobs, CronJobs, the Pods of Jobs, and Events about Jobs, CronJobs and
Pods: first what exists, then every change. It ends when --for is over or with
Ctrl-C (SIGINT) or SIGTERM; the file is complete then.

Kept: names, labels, images, resources, states, the names of Secrets and
ConfigMaps, the first word of commands, and the messages of conditions, Events
and terminated containers. Everything else is dropped or replaced by [REDACTED]:
values of environment variables and HTTP headers, arguments, paths of probes,
settings of volumes, other annotations, users and queries in URLs.
docs/recordings.md lists every field. Review the messages before you share the
file.";

/// The objects to record.
#[derive(Args, Clone, Debug)]
#[command(after_help = RECORD_HELP)]
pub(crate) struct RecordArgs {
    /// The file to write, which must not exist yet; compressed if its name ends in .gz
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// How long to record: 10m, 1h30m [default: until Ctrl-C or SIGTERM]
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<Duration>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_command() {
        let cli = Cli::try_parse_from(["kube-job-collector", "--config", "a.yaml", "--set", "a.b=c"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.source.config, [PathBuf::from("a.yaml")]);
        assert_eq!(cli.run.source.set, ["a.b=c"]);
    }

    #[test]
    fn a_file_can_be_given_in_every_common_way() {
        for line in [
            "k validate a.yaml",
            "k validate --config a.yaml",
            "k validate --config=a.yaml",
            "k validate -c a.yaml",
            "k validate -config a.yaml",
            "k validate -config=a.yaml",
        ] {
            let cli = Cli::try_parse_from(line.split(' ').map(|word| with_two_dashes(word.into())));
            let Some(Command::Validate(args)) = cli.unwrap_or_else(|e| panic!("{line}: {e}")).command else {
                panic!("{line}");
            };
            assert_eq!(
                ConfigArgs::from(args.source).config,
                [PathBuf::from("a.yaml")],
                "{line}"
            );
        }
        let cli = Cli::try_parse_from(["k", "run", "-c", "a.yaml", "b.yaml"]).unwrap();
        let Some(Command::Run(args)) = cli.command else {
            panic!("run")
        };
        let files = RunArgs::from(args).source.config;
        assert_eq!(files, [PathBuf::from("a.yaml"), PathBuf::from("b.yaml")]);
    }

    #[test]
    fn help_fits_into_80_columns() {
        for text in [EXAMPLES, EXPLAIN_HELP, PLUGIN_HELP, RECORD_HELP] {
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        let plugin = Plugin::command().render_long_help().to_string();
        assert!(plugin.starts_with("Explains why a Kubernetes Job failed"), "{plugin}");
        assert!(!plugin.contains("kube-job-collector"), "{plugin}");
    }

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

    #[test]
    fn a_plugin_of_kubectl_is_known_by_its_name() {
        assert!(is_plugin(Path::new("/usr/local/bin/kubectl-why_job")));
        assert!(!is_plugin(Path::new("/usr/bin/kubectl-why/kube-job-collector")));
        Plugin::command().debug_assert();
    }
}
