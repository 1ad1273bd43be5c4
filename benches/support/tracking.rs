//! The receiver's own path from a line of a watch to the tracker.

use jiff::Timestamp;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::decode::{WatchEvent, watch_line_with};
use job_watch::extract::{Extraction, LabelSource, MetadataField, Rule, Wanted};
use job_watch::model::{Job, Pod, Watched};
use job_watch::{Kind, Object, Observation, Source};
use serde::Deserialize;

use super::{Recorded, line};

/// When everything happens: at the time of the recording.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_795_450_476, 0);

/// When Jobs that ended at [`NOW`] are reported.
pub(crate) const SETTLED: Timestamp = Timestamp::constant(1_795_450_486, 0);

/// Two rules for labels and one for annotations, of each object: of the recorded ones a Pod matches two.
pub(crate) fn label_rules() -> Extraction {
    let mut rules = Extraction::default();
    for source in [LabelSource::Job, LabelSource::Pod] {
        rules.add(Rule::exact(source, MetadataField::Labels, "job-name", ""));
        rules.add(
            Rule::pattern(
                source,
                MetadataField::Labels,
                "batch\\.kubernetes\\.io/(.*)",
                "batch.$1",
            )
            .unwrap(),
        );
        rules.add(Rule::exact(source, MetadataField::Annotations, "contact", ""));
    }
    rules
}

/// Decodes a line as the receiver does without rules for labels.
pub(crate) fn decode<T: Watched>(line: &[u8]) -> Box<T> {
    decode_with(line, None)
}

/// Decodes a line as the receiver does.
pub(crate) fn decode_with<T: Watched>(line: &[u8], wanted: Option<&Wanted>) -> Box<T> {
    match watch_line_with(line, wanted).unwrap() {
        WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) => Box::new(object),
        WatchEvent::Bookmark { .. } | WatchEvent::Error(_) => panic!("not a change of an object"),
    }
}

/// Takes the line of a Job in.
pub(crate) fn apply_job(tracker: &mut Tracker, line: &[u8]) {
    apply(tracker, Kind::Jobs, Object::Job(decode::<Job>(line)));
}

/// Takes the line of a Pod in.
pub(crate) fn apply_pod(tracker: &mut Tracker, line: &[u8]) {
    apply(tracker, Kind::Pods, Object::Pod(decode::<Pod>(line)));
}

/// Takes the line of a Job in, with the labels that are wanted of it.
pub(crate) fn apply_labeled_job(tracker: &mut Tracker, line: &[u8], rules: &Extraction) {
    let job = decode_with::<Job>(line, rules.of(Kind::Jobs).map(|wanted| &**wanted));
    apply(tracker, Kind::Jobs, Object::Job(job));
}

/// Takes the line of a Pod in, with the labels that are wanted of it.
pub(crate) fn apply_labeled_pod(tracker: &mut Tracker, line: &[u8], rules: &Extraction) {
    let pod = decode_with::<Pod>(line, rules.of(Kind::Pods).map(|wanted| &**wanted));
    apply(tracker, Kind::Pods, Object::Pod(pod));
}

fn apply(tracker: &mut Tracker, kind: Kind, object: Object) {
    tracker.apply(Source { kind, scope: 0 }, Observation::Changed(object), NOW);
}

/// A tracker that knows this many Jobs, each with a Pod that runs.
pub(crate) fn tracker_of(recorded: &Recorded, jobs: usize) -> Tracker {
    tracker_with(recorded, jobs, TrackerSettings::default())
}

/// The same with other settings.
pub(crate) fn tracker_with(recorded: &Recorded, jobs: usize, settings: TrackerSettings) -> Tracker {
    let mut tracker = Tracker::new(settings);
    for number in 0..jobs {
        apply_job(&mut tracker, &line(&recorded.running_jobs(number)[1]));
        apply_pod(&mut tracker, &line(&recorded.running_pods(number)[1]));
    }
    let sizes = tracker.sizes();
    assert_eq!(
        (sizes.live, sizes.pods),
        (jobs, jobs),
        "every Job and its Pod are tracked"
    );
    tracker
}

/// Takes a line in.
pub(crate) type Apply = fn(&mut Tracker, &[u8]);

/// The same with rules for labels.
pub(crate) type ApplyLabeled = fn(&mut Tracker, &[u8], &Extraction);

/// A line of a watch with an object of the full type.
#[derive(Deserialize)]
pub(crate) struct FullLine<T> {
    /// The change.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object.
    pub object: T,
}
