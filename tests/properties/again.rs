//! Repeated lines change nothing: one record for each UID, and the same verdict.

use job_tracker::replay::Recorded;

use crate::recording::{all, in_time, verdicts};

#[test]
fn every_line_twice() {
    for recording in all() {
        let twice: Vec<&Recorded> = recording.lines.iter().flat_map(|line| [line, line]).collect();
        assert_eq!(verdicts(in_time(twice)), recording.verdicts, "{}", recording.name);
    }
}

#[test]
fn everything_again_after_the_end() {
    for recording in all() {
        let shift = recording.end() + 5000;
        let again = recording.lines.iter().cloned().map(|mut line| {
            line.t += shift;
            line
        });
        let lines: Vec<Recorded> = recording.lines.iter().cloned().chain(again).collect();
        assert_eq!(verdicts(in_time(&lines)), recording.verdicts, "{}", recording.name);
    }
}
