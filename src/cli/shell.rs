//! The command lines of `completions` and `man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const COMPLETIONS_HELP: &str = "\
Examples:
  kube-job-collector completions bash \\
    >~/.local/share/bash-completion/completions/kube-job-collector
  kube-job-collector completions zsh >\"${fpath[1]}/_kube-job-collector\"
  kube-job-collector completions fish \\
    >~/.config/fish/completions/kube-job-collector.fish";

const MAN_HELP: &str = "\
Examples:
  kube-job-collector man | man -l -
  kube-job-collector man --output ~/.local/share/man/man1";

/// The shell.
#[derive(Args, Clone, Debug)]
#[command(after_help = COMPLETIONS_HELP)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The shells whose completions can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Where man pages are written.
#[derive(Args, Clone, Debug)]
#[command(after_help = MAN_HELP)]
pub(crate) struct ManArgs {
    /// Write one page for each command to this folder, which must exist
    /// [default: the page of kube-job-collector, to standard output]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}
