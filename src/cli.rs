//! The command line.

mod explain;
mod init;
mod shell;
mod status;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use collector_config::{Duration, DurationError};

use explain::{EXPLAIN_HELP, PLUGIN_HELP};
pub(crate) use explain::{ExplainArgs, ExplainTarget, ExplainTargets, TargetKind};
pub(crate) use init::InitArgs;
pub(crate) use shell::{CompletionsArgs, ManArgs, Shell};
pub(crate) use status::StatusArgs;

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

// The usage that clap makes is longer than a line.
const EXPLAIN_USAGE: &str = "\
kube-job-collector explain [OPTIONS] NAME... | -l SELECTOR
       kube-job-collector explain [OPTIONS] --all-failed
       kube-job-collector explain [OPTIONS] --stalled
       kube-job-collector explain [OPTIONS] --recording FILE";
const PLUGIN_USAGE: &str = "\
kubectl why-job [OPTIONS] NAME... | -l SELECTOR
       kubectl why-job [OPTIONS] --all-failed
       kubectl why-job [OPTIONS] --stalled
       kubectl why-job [OPTIONS] --recording FILE";

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
    /// Show a running collector: its health, queues, watches and leader
    Status(StatusArgs),
    /// Write a commented pipeline for a backend, to start from
    Init(InitArgs),
    /// Print the JSON Schema of a configuration, for editors
    Schema(SchemaArgs),
    /// Run failing Jobs on a simulated cluster through the shipped pipeline and print the events
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Explain why a Job failed: in the current context of the kubeconfig, or in a recording
    #[command(after_help = EXPLAIN_HELP, override_usage = EXPLAIN_USAGE)]
    Explain(ExplainArgs),
    /// Record Jobs, their Pods and Events, to explain or share later
    Record(RecordArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the man page, or write those of all commands
    Man(ManArgs),
}

/// Arguments of `schema`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SchemaArgs {
    /// For a file that is merged over another one (--config A --config B): no key is required
    #[arg(long)]
    pub overlay: bool,
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// A configuration file, or `-` for standard input; several are merged, later ones win
    /// [default: the built-in pipeline, for Datadog]
    #[arg(short, long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// A file that adds keys that the others do not set, and list entries, as in
    /// service::extensions
    #[arg(long, value_name = "FILE")]
    pub add_config: Vec<PathBuf>,
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
    /// Reload when a file of --config changes, as SIGHUP does; read every 5s, or
    /// at another interval: --watch-config=30s
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, require_equals = true, default_missing_value = "5s")]
    #[arg(value_parser = watch_interval)]
    pub watch_config: Option<Duration>,
}

/// Reading files in a loop without a pause would occupy a processor.
fn watch_interval(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(100);
    let interval: Duration = text.parse().map_err(|error: DurationError| error.to_string())?;
    match interval >= SHORTEST {
        true => Ok(interval),
        false => Err(format!("`{interval}` is too short, expected {SHORTEST} or more")),
    }
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
#[command(override_usage = PLUGIN_USAGE)]
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

    /// The command and those below it.
    fn all(command: clap::Command) -> Vec<clap::Command> {
        let below: Vec<clap::Command> = command.get_subcommands().cloned().collect();
        [command].into_iter().chain(below).collect()
    }

    #[test]
    fn every_help_fits_into_80_columns() {
        for mut command in all(Cli::command()).into_iter().chain([Plugin::command()]) {
            command = command.term_width(80);
            let name = command.get_name().to_owned();
            for text in [command.render_help(), command.render_long_help()] {
                for line in text.to_string().lines() {
                    assert!(line.chars().count() <= 80, "{name}: {line}");
                }
            }
        }
        let plugin = Plugin::command().render_long_help().to_string();
        assert!(plugin.starts_with("Explains why a Kubernetes Job failed"), "{plugin}");
        assert!(!plugin.contains("kube-job-collector explain"), "{plugin}");
    }

    #[test]
    fn every_command_and_option_is_documented() {
        let page = include_str!("../docs/command-line.md");
        for command in all(Cli::command()).into_iter().skip(1) {
            let name = command.get_name();
            let section = page.split(&format!("\n## {name}\n")).nth(1);
            let section = section.unwrap_or_else(|| panic!("docs/command-line.md has no heading {name}"));
            let mut section = section.split("\n## ").next().unwrap_or_default().to_owned();
            if name == "explain" {
                section += include_str!("../docs/explain.md");
            }
            let options = command.get_arguments().filter_map(|argument| argument.get_long());
            for option in options.filter(|option| *option != "help") {
                assert!(
                    section.contains(&format!("--{option}")),
                    "{name} has no row for --{option}"
                );
            }
        }
    }

    #[test]
    fn a_plugin_of_kubectl_is_known_by_its_name() {
        assert!(is_plugin(Path::new("/usr/local/bin/kubectl-why_job")));
        assert!(!is_plugin(Path::new("/usr/bin/kubectl-why/kube-job-collector")));
        Plugin::command().debug_assert();
    }
}
