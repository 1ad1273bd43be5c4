//! `kube-job-collector`: reports failed Kubernetes Jobs, and why they failed, over OTLP.

// A closed or full standard error must not end the process, which `eprintln!` does.
#![warn(clippy::print_stderr)]

mod cli;
mod commands;
mod components;
mod configuration;
mod enrichment;
mod in_cluster;
mod migration;
mod reload;
mod telemetry;
mod terminal;

use std::process::ExitCode;

use cli::{Cli, Command};
use commands::Failure;
use commands::explain::ExplainAnswer;
use commands::status::StatusAnswer;

fn main() -> ExitCode {
    // One TLS implementation for everything in the process; kube and reqwest pick it up from here.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        terminal::note("kube-job-collector: another TLS provider is already installed");
        return ExitCode::FAILURE;
    }
    let cli = Cli::read();
    let done = match cli.command {
        None => commands::run::run(&cli.run),
        Some(Command::Run(args)) => commands::run::run(&args.into()),
        Some(Command::Validate(args)) => commands::validate::validate(&args),
        Some(Command::PrintConfig(args)) => commands::validate::print_config(&args),
        Some(Command::Status(args)) => match commands::status::status(&args) {
            Ok(StatusAnswer::NotReady) => return ExitCode::from(1),
            Ok(StatusAnswer::Ready) => Ok(()),
            Err(failure) => Err(failure),
        },
        Some(Command::Completions(args)) => commands::shell::completions(&args),
        Some(Command::Man(args)) => commands::shell::man(&args),
        Some(Command::Init(args)) => commands::init::init(&args),
        Some(Command::Version) => commands::print(&format!("kube-job-collector {}\n", env!("CARGO_PKG_VERSION"))),
        Some(Command::Components) => commands::components::list(),
        Some(Command::Schema(args)) => commands::schema::schema(&args),
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => commands::demo::demo(&args),
        Some(Command::Record(args)) => commands::record::record(&args),
        Some(Command::Explain(args)) => match commands::explain::explain(&args) {
            // That a Job failed or is stalled is an answer, not an error.
            Ok(ExplainAnswer::Failed) => return ExitCode::from(1),
            Ok(ExplainAnswer::Stalled) => return ExitCode::from(3),
            Ok(ExplainAnswer::NoneFailed) => Ok(()),
            Err(failure) => Err(failure),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Logged) {
                terminal::last_note(failure.to_string());
            }
            failure.exit_code()
        }
    }
}
