//! `completions` and `man`: the command line for shells and for `man`.

use clap::{Command, CommandFactory};
use clap_complete::shells::{Bash, Fish, Zsh};
use clap_complete::{Generator, generate};
use clap_mangen::Man;

use super::{Failure, print};
use crate::cli::{Cli, CompletionsArgs, ManArgs, Shell};

const NAME: &str = env!("CARGO_PKG_NAME");

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    let script = match args.shell {
        Shell::Bash => bash(&mut command),
        Shell::Zsh => script(Zsh, &mut command),
        Shell::Fish => script(Fish, &mut command),
    };
    print(&script)
}

fn script(shell: impl Generator, command: &mut Command) -> String {
    let mut script = Vec::new();
    generate(shell, command, NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// clap_complete 4.6 writes the id of a command whose name has hyphens in two ways, so that no option would be completed.
fn bash(command: &mut Command) -> String {
    script(Bash, command).replace("__subcmd__", "__")
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
