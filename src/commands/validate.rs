//! `validate` and `print-config`: the configuration without running it.

use pipeline::config;

use super::{Failure, print};
use crate::cli::{ConfigArgs, ValidateArgs};
use crate::configuration;
use crate::terminal::note;

/// Makes every component without starting it, and says what is wrong. Needs no network.
pub fn validate(args: &ValidateArgs) -> Result<(), Failure> {
    let sources = configuration::sources(&args.source)?;
    let prepared = configuration::prepare(&sources, &args.source.set, &configuration::environment)?;
    for warning in prepared.warnings(args.strict)?.0 {
        note(&format!("warning: {warning}"));
    }
    print("The configuration is valid.\n")
}

/// Prints the merged configuration; secrets and what comes from the environment are not shown.
pub fn print_config(args: &ConfigArgs) -> Result<(), Failure> {
    print(&config::print(&configuration::sources(args)?, &args.set)?)
}
