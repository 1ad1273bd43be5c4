//! `completions` and `man`: the command line for shells and for `man`.

use clap::CommandFactory;
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};
use clap_mangen::Man;

use super::{Failure, print};
use crate::cli::{Cli, CompletionsArgs, ManArgs, Shell};

const NAME: &str = env!("CARGO_PKG_NAME");

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    match args.shell {
        Shell::Bash => generate(Bash, &mut command, NAME, &mut script),
        Shell::Zsh => generate(Zsh, &mut command, NAME, &mut script),
        Shell::Fish => generate(Fish, &mut command, NAME, &mut script),
    }
    print(&String::from_utf8_lossy(&script))
}

/// Prints the man page, or writes all of them to a folder.
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let command = Cli::command();
    let Some(folder) = &args.output else {
        let mut page = Vec::new();
        let rendered = Man::new(command).render(&mut page);
        rendered.map_err(|error| Failure::Runtime(format!("cannot write the man page: {error}")))?;
        return print(&String::from_utf8_lossy(&page));
    };
    clap_mangen::generate_to(command, folder)
        .map_err(|error| Failure::Runtime(format!("cannot write man pages to {}: {error}", folder.display())))
}
