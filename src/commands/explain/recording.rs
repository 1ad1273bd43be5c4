//! `explain --recording`: why the Jobs in a recording failed.

use std::fs::File;
use std::io::BufRead;
use std::path::Path;

use escape::one_line;
use job_judge::judge_at;
use job_tracker::TrackerSettings;
use job_tracker::replay::{Replay, decompressed, replay};

use super::{Explained, Failure, Report};
use crate::cli::ExplainArgs;
use crate::commands::print;
use crate::terminal::note;

/// Replays a recording through the tracker and the judge, and prints one record for each finished Job, in the order of the
/// verdicts.
pub(super) fn explain(path: &Path, args: &ExplainArgs) -> Result<(), Failure> {
    let name = path.display();
    let fail =
        |error: &dyn std::fmt::Display| Failure::Runtime(format!("cannot read the recording {name}: {}", shown(error)));
    let Replay { ended, unfinished, end } =
        replay(open(path).map_err(|e| fail(&e))?, TrackerSettings::default()).map_err(|e| fail(&e))?;

    let (have_ended, not_ended) = (ended.len(), unfinished.len());
    let mut out = Report::new(args.output);
    for evidence in ended.into_iter().chain(unfinished.into_iter().filter(|_| args.all)) {
        out.add(&Explained {
            judgement: judge_at(&evidence, end),
            evidence,
            notes: Vec::new(),
            log: None,
        })?;
    }
    print(&out.text)?;
    if not_ended > 0 && !args.all {
        let jobs = if not_ended == 1 {
            "1 Job had".into()
        } else {
            format!("{not_ended} Jobs had")
        };
        note(&format!(
            "{jobs} not finished when the recording ended; --all shows them too."
        ));
    }
    if have_ended == 0 && not_ended == 0 {
        note("The recording contains no Jobs.");
    }
    Ok(())
}

/// The most characters of an error, which may quote a line of the recording.
const LONGEST_ERROR: usize = 500;

/// An error about a recording, limited and printable.
fn shown(error: &dyn std::fmt::Display) -> String {
    let text: String = error.to_string().chars().take(LONGEST_ERROR).collect();
    one_line(&text).into_owned()
}

/// Opens a recording; `-` is standard input.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        decompressed(std::io::stdin())
    } else {
        decompressed(File::open(path)?)
    }
}
