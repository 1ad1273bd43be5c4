//! The memory that the search for stalls takes for each unfinished Job.

use dhat::{HeapStats, Profiler};
use jiff::SignedDuration;
use job_tracker::{StallSettings, TrackerSettings};

use crate::support::Recorded;
use crate::support::tracking::{NOW, tracker_with};

const JOBS: usize = 2_000;
/// Bytes for each unfinished Job; its record has 8 more.
const CHECKS: usize = 40;
/// How long the Jobs are checked, seconds.
const TIME: i64 = 120;

/// The heap of a tracker whose Jobs were checked for a while.
fn heap(recorded: &Recorded, enabled: bool) -> usize {
    let before = HeapStats::get().curr_bytes;
    let settings = TrackerSettings {
        stalls: StallSettings {
            enabled,
            ..StallSettings::default()
        },
        ..TrackerSettings::default()
    };
    let mut tracker = tracker_with(recorded, JOBS, settings);
    for second in 0..TIME {
        let now = NOW + SignedDuration::from_secs(second);
        while tracker.next_notice_deadline().is_some_and(|deadline| deadline <= now) {
            assert_eq!(tracker.next_notice(now), None, "the Jobs run");
        }
    }
    HeapStats::get().curr_bytes - before
}

#[test]
fn checks_of_unfinished_jobs_take_little_memory() {
    let _alone = crate::alone();
    let _profiler = Profiler::builder().testing().build();
    let recorded = Recorded::read();
    let [without, with] = [false, true].map(|enabled| heap(&recorded, enabled));
    let each = with.saturating_sub(without) / JOBS;
    println!("{each} B for the checks of an unfinished Job");
    assert!((10..=CHECKS).contains(&each), "{each} B");
}
