//! One file for each command.

pub(crate) mod components;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod init;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod validate;

use std::fmt;
use std::process::ExitCode;

use collector_config::Diagnostics;

use crate::configuration::Findings;

/// Why a command failed. Its text is safe for a terminal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is invalid, or has warnings where none are allowed.
    Configuration(Findings),
    /// Anything else that ends the command.
    Runtime(String),
    /// Anything else that ends the command and that is already logged.
    Logged,
    /// The command line names something that does not exist.
    Usage(String),
    /// `explain` could not determine the outcome of a Job.
    CouldNotTell(String),
}

impl Failure {
    /// The process's exit code, as `--help` documents them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Runtime(_) | Failure::Logged => ExitCode::from(1),
            Failure::Usage(_) | Failure::CouldNotTell(_) => ExitCode::from(2),
            Failure::Configuration(_) => ExitCode::from(3),
        }
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Failure::Configuration(findings)
    }
}

impl From<Diagnostics> for Failure {
    fn from(errors: Diagnostics) -> Self {
        Failure::Configuration(Findings::errors(errors))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Configuration(findings) => write!(f, "{findings}"),
            Failure::Runtime(message) | Failure::Usage(message) | Failure::CouldNotTell(message) => {
                write!(f, "kube-job-collector: {}", escape::lines(message))
            }
            Failure::Logged => Ok(()),
        }
    }
}

/// Writes to standard output; a reader that has gone away (`| head`) is not an error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The runtime of every command that does I/O. One thread: a few watches and a low rate of events need no more, and an
/// update does not have to wake another thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(format!("cannot start the asynchronous runtime: {error}")))
}
