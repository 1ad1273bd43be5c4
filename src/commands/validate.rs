//! `validate` and `print-config`: the configuration without running it.

use super::{Failure, print};
use crate::cli::{ConfigArgs, FileArgs, ValidateArgs};
use crate::configuration;
use crate::terminal::note;

/// Creates every component without starting it, and prints the errors. Needs no network.
pub(crate) fn validate(args: &ValidateArgs) -> Result<(), Failure> {
    let source = ConfigArgs::from(args.source.clone());
    let sources = configuration::sources(&source)?;
    let sets = &source.set;
    let findings = match args.skip_env {
        true => configuration::check_without_environment(&sources, sets, &configuration::environment),
        false => match configuration::prepare(&sources, sets, &configuration::environment) {
            Ok((_, findings)) | Err(findings) => findings,
        },
    };
    let findings = findings.check(args.strict)?;
    if !findings.warnings.is_empty() {
        note(findings.warnings().trim_end());
    }
    let mut text = "The configuration is valid.\n".to_owned();
    if !findings.unset.is_empty() {
        let names: Vec<&str> = findings.unset.iter().map(String::as_str).collect();
        text += &format!(
            "Not checked, because these variables are not set: {}\n",
            names.join(", ")
        );
    }
    print(&text)
}

/// Prints the merged configuration without secrets and without values from the environment.
pub(crate) fn print_config(args: &FileArgs) -> Result<(), Failure> {
    let args = ConfigArgs::from(args.clone());
    print(&collector_config::print(&configuration::sources(&args)?, &args.set)?)
}
