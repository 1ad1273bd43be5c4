//! The notices of a replay, as short texts.

use jiff::{SignedDuration, Timestamp};
use job_event::{Evidence, Notice};
use job_schedule::Schedule;
use job_tracker::replay::{Limits, ReplayStep, replay_steps};
use job_tracker::{StallSettings, TrackerSettings};

use crate::stories::Story;

/// The threshold of the recordings' expectations.
pub(crate) fn thirty_seconds() -> StallSettings {
    StallSettings::all_after(SignedDuration::from_secs(30))
}

/// The notices and the finished Jobs of a recording.
pub(crate) fn replayed(text: &[u8], stalls: StallSettings) -> (Vec<Notice>, Vec<Evidence>) {
    let settings = TrackerSettings {
        recovers: true,
        stalls,
        ..TrackerSettings::default()
    };
    let (mut notices, mut finished) = (Vec::new(), Vec::new());
    replay_steps(text, settings, Limits::default(), |step| match step {
        ReplayStep::Observed(_) => {}
        ReplayStep::Finished(evidence) => finished.push(*evidence),
        ReplayStep::Notice(notice) => notices.push(notice),
    })
    .unwrap();
    (notices, finished)
}

/// The lines of a story.
pub(crate) fn text(story: &Story) -> Vec<u8> {
    let lines = story.lines.iter().map(|line| format!("{line}\n"));
    lines.collect::<String>().into_bytes()
}

/// The notices of a story, with the threshold of 30 s: `stalled ImagePull`, `recovered ImagePull Failed`,
/// `missed ControllerLate 12:17:00 12:18:00`.
pub(crate) fn notices(story: &Story) -> Vec<String> {
    notices_with(story, thirty_seconds())
}

/// The same with other thresholds.
pub(crate) fn notices_with(story: &Story, stalls: StallSettings) -> Vec<String> {
    let (notices, _) = replayed(&text(story), stalls);
    notices.iter().map(short).collect()
}

/// The short text of a notice.
pub(crate) fn short(notice: &Notice) -> String {
    match notice {
        Notice::Stalled(stalled) => format!("stalled {}", stalled.cause),
        Notice::Recovered(recovered) => {
            let outcome = recovered.outcome.map(|outcome| format!(" {}", outcome.as_str()));
            format!(
                "recovered {}{}",
                recovered.causes.join("+"),
                outcome.unwrap_or_default()
            )
        }
        Notice::Missed(missed) => {
            let cronjob = missed.cronjob.cronjob.as_ref().unwrap();
            let schedule = Schedule::parse(
                cronjob.schedule.as_deref().unwrap_or_default(),
                missed.time_zone.as_deref(),
            );
            let before = missed.first - SignedDuration::from_secs(1);
            let slots: Vec<String> = match &schedule {
                Ok(schedule) => schedule.slots(before, missed.last).map(clock).collect(),
                Err(_) => Vec::new(),
            };
            let slots = match slots.len() as u64 == missed.count {
                true => slots.join(" "),
                false => format!("{} slots", missed.count),
            };
            format!("missed {} {slots}", missed.reason.as_str())
        }
    }
}

/// The time of the day.
fn clock(at: Timestamp) -> String {
    at.to_string()[11..19].to_owned()
}

/// Replays the stories and compares their notices; all differences are reported together.
pub(crate) fn check(stories: Vec<(Story, &[&str])>) {
    let mut problems = String::new();
    for (story, expected) in stories {
        let found = notices(&story);
        if found != expected {
            problems.push_str(&format!(
                "\n{}\n  expected {expected:?}\n  found    {found:?}",
                story.name
            ));
        }
    }
    assert!(problems.is_empty(), "{problems}");
}
