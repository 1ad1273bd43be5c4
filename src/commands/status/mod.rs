//! `status`: a running collector in the terminal.

mod fetch;
mod next_step;
#[cfg(test)]
mod tests;
mod text;

use collector_runtime::process_status::ProcessStatus;

use super::{Failure, print, runtime};
use crate::cli::{Format, StatusArgs};
use crate::terminal;
use text::{Layout, page};

/// The answer, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusAnswer {
    /// Every component is ok.
    Ready,
    /// A component is starting, failing or dead.
    NotReady,
}

/// Shows the collector that the command line names.
pub(crate) fn status(args: &StatusArgs) -> Result<StatusAnswer, Failure> {
    let (source, status) = runtime()?.block_on(fetch::fetch(args)).map_err(Failure::CouldNotTell)?;
    print(&match args.output {
        Format::Json => json(&status)?,
        Format::Text => {
            let layout = Layout {
                width: terminal::width(),
                colour: terminal::colours(&std::io::stdout()),
            };
            page(&status, &source, layout)
        }
    })?;
    Ok(match status.ready {
        true => StatusAnswer::Ready,
        false => StatusAnswer::NotReady,
    })
}

fn json(status: &ProcessStatus) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(status);
    json.map(|json| json + "\n")
        .map_err(|error| Failure::Runtime(format!("cannot write JSON: {error}")))
}
