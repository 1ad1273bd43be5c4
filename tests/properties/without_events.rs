//! Without any Events the outcome and the reason stay, and the cause stays or becomes a broader one.

use job_watch::Kind;

use crate::broader::WITHOUT_EVENTS;
use crate::recording::{all, in_time, verdicts, worse};

#[test]
fn no_cause_becomes_another_specific_one() {
    let mut wrong = Vec::new();
    for recording in all() {
        let without = recording
            .lines
            .iter()
            .filter(|line| line.source.kind != Kind::JobEvents);
        let found = verdicts(in_time(without));
        for (uid, known) in &recording.verdicts {
            if let Some(problem) = worse(known, &found[uid], &WITHOUT_EVENTS) {
                wrong.push(format!("{}: {problem}", recording.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
