//! Every story has the verdict that it states.

use std::collections::BTreeSet;

use job_judge::{CAUSES, Cause, Judgement, judge};
use job_tracker::TrackerSettings;
use job_tracker::replay::replay;

use crate::stories::{Story, all};

/// The judgement of the story's first Job.
fn judged(story: &Story) -> Judgement {
    let text: String = story.lines.iter().map(|line| format!("{line}\n")).collect();
    let replay = replay(text.as_bytes(), TrackerSettings::default()).unwrap();
    let mut jobs = replay.ended.into_iter().chain(replay.unfinished);
    judge(&jobs.find(|evidence| &*evidence.job.name == "j").unwrap())
}

#[test]
fn every_story_has_its_verdict() {
    let mut names = BTreeSet::new();
    for story in all() {
        println!("story {}", story.name);
        assert!(names.insert(story.name), "two stories of that name");
        let judgement = judged(&story);
        story.expected.check(&judgement);
        assert!(judgement.summary.ends_with('.'), "{}", judgement.summary);
    }
}

#[test]
fn every_cause_has_a_story() {
    let causes: BTreeSet<Cause> = all().iter().filter_map(|story| story.expected.cause).collect();
    for info in CAUSES.iter().filter(|info| !info.cause.is_only_of_stalls()) {
        assert!(causes.contains(&info.cause), "no story has the cause {}", info.name);
    }
}
