//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  kube-job-collector demo                            see it work, without a cluster or an account
  kube-job-collector explain --recording r.jsonl.gz  why did the Jobs in a recording fail?
  kube-job-collector validate --config pipeline.yaml
  kube-job-collector --config pipeline.yaml          run a pipeline (the same as `run --config …`)
  DD_API_KEY=… kube-job-collector run                run the built-in pipeline, for Datadog

Exit codes:
  0  done, or stopped by a signal and drained
  1  it could not start or go on: the message says which component and why
  2  the command line is wrong
  3  the configuration is wrong: every mistake is listed with file, line and column";

/// Tells that a Kubernetes Job failed, and why, over OTLP.
#[derive(Debug, Parser)]
#[command(name = "kube-job-collector", version, after_help = EXAMPLES, subcommand_negates_reqs = true)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; without it, `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Arguments of `run`, when no command is given.
    #[command(flatten)]
    pub run: ConfigArgs,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline until SIGTERM or SIGINT (the default command)
    Run(ConfigArgs),
    /// Check a configuration without running it; needs no network
    Validate(ConfigArgs),
    /// Print the configuration as it would run, merged and with secrets redacted
    #[command(alias = "print-initial-config")]
    PrintConfig(ConfigArgs),
    /// List every component this binary knows
    Components,
    /// Play failing Jobs on a simulated cluster through the shipped pipeline and show what arrives
    Demo(DemoArgs),
    /// Say why the Jobs in a recording ended as they did
    Explain(ExplainArgs),
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// A configuration file; several are merged, later ones win. Default: the built-in pipeline for Datadog
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Set one key, after all files: --set connectors.job_metrics.interval=30s
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// How to show the demo.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// End when all Jobs have been played (by default the demo waits for Ctrl-C, so you can look around)
    #[arg(long)]
    pub once: bool,
    /// `text` shows arrivals as they happen; `json` prints the received metrics as OTLP JSON at the end
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// How many times faster than real time the Jobs are played
    #[arg(long, default_value_t = 10.0, value_parser = speed)]
    pub speed: f64,
}

/// What to explain.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// A recording: one watch event a line, .jsonl or .jsonl.gz; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub recording: PathBuf,
    /// `text` for people, `json` for one record a line
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// Also those Jobs that had not ended when the recording did
    #[arg(long)]
    pub all: bool,
}

/// How output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.1..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number from 0.1 to 1000, such as 10".into()),
    }
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
        assert_eq!(cli.run.config, [PathBuf::from("a.yaml")]);
        assert_eq!(cli.run.set, ["a.b=c"]);
    }
}
