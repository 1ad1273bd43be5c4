//! The command line of `init`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::commands::init::names;

const HELP: &str = "\
Examples:
  kube-job-collector init --list
  kube-job-collector init new-relic -o pipeline.yaml";

/// The backend, and where its pipeline is written.
#[derive(Args, Clone, Debug)]
#[command(after_help = HELP)]
pub(crate) struct InitArgs {
    /// The backend [default: prints the names of all]
    #[arg(value_name = "BACKEND", value_parser = PossibleValuesParser::new(names()))]
    pub backend: Option<String>,
    /// Print the names of all backends
    #[arg(long, conflicts_with = "backend")]
    pub list: bool,
    /// The file to write, which must not exist yet [default: standard output]
    #[arg(short, long, value_name = "FILE", requires = "backend")]
    pub output: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "output")]
    pub force: bool,
}
