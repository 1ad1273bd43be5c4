//! Every recording of a real cluster, unchanged and with the disturbances of a watch.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Evidence, Gap};
use job_tracker::replay::{self, Recorded, after, replay};
use job_tracker::{OnFirstStart, Tracker, TrackerSettings};
use job_watch::{Kind, Object, Observation, Source};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus")
}

fn text_of(name: &str) -> String {
    let file = std::fs::File::open(corpus().join(format!("{name}.jsonl.gz"))).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

fn lines_of(name: &str) -> Vec<Recorded> {
    text_of(name)
        .lines()
        .map(|line| replay::read_line(line).unwrap())
        .collect()
}

/// Per recording, per UID: name, CronJob, outcome and reason.
type Expected = BTreeMap<String, (String, Option<String>, String, Option<String>)>;

fn expected() -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(corpus().join("expected.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(String::from);
    let recordings = json.as_object().unwrap().iter().map(|(name, recording)| {
        let jobs = recording["jobs"].as_array().unwrap().iter().map(|job| {
            let tuple = (
                text(&job["name"]).unwrap(),
                text(&job["cronjob"]),
                text(&job["outcome"]).unwrap(),
                text(&job["reason"]),
            );
            (text(&job["uid"]).unwrap(), tuple)
        });
        (name.clone(), jobs.collect())
    });
    recordings.collect()
}

fn found<'a>(all: impl IntoIterator<Item = &'a Evidence>) -> Expected {
    let mut found = Expected::new();
    for Evidence { job, .. } in all {
        let tuple = (
            job.name.to_string(),
            job.cronjob.as_ref().map(|cronjob| cronjob.name.to_string()),
            job.outcome().as_str().to_owned(),
            job.reason().map(String::from),
        );
        assert!(
            found.insert(job.uid.to_string(), tuple).is_none(),
            "{} is reported twice",
            job.uid
        );
    }
    found
}

fn run(tracker: &mut Tracker, all: &[(Source, Observation, Timestamp)]) -> Vec<Evidence> {
    let mut ended = Vec::new();
    for (source, observation, now) in all {
        ended.extend(std::iter::from_fn(|| tracker.poll(*now)));
        tracker.apply(*source, observation.clone(), *now);
    }
    ended
}

fn finish(mut tracker: Tracker, mut ended: Vec<Evidence>) -> Expected {
    ended.extend(std::iter::from_fn(|| tracker.drain(true)));
    let unfinished = tracker.into_unfinished();
    found(ended.iter().chain(&unfinished))
}

fn observed(lines: &[Recorded]) -> Vec<(Source, Observation, Timestamp)> {
    let start = lines[0].created.unwrap();
    let all = lines.iter();
    all.filter_map(|line| Some((line.source, line.observation.clone()?, after(start, line.t))))
        .collect()
}

#[test]
fn replays_every_recording_with_outcomes_and_reasons() {
    let all = expected();
    assert_eq!(all.len(), 53);
    for (name, expected) in all {
        let text = text_of(&name);
        let replay = replay(BufReader::new(text.as_bytes()), TrackerSettings::default()).unwrap();
        assert!(replay.ended.iter().all(|e| e.job.outcome().is_final()), "{name}");
        assert!(replay.unfinished.iter().all(|e| !e.job.outcome().is_final()), "{name}");
        assert!(
            replay.ended.iter().all(|e| e.gaps.is_empty()),
            "{name}: {:?}",
            replay.ended
        );
        assert_eq!(found(replay.ended.iter().chain(&replay.unfinished)), expected, "{name}");
    }
}

#[test]
fn duplicates_change_nothing() {
    for (name, expected) in expected() {
        let once = observed(&lines_of(&name));
        let twice: Vec<_> = once.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        let mut tracker = Tracker::new(TrackerSettings::default());
        let mut ended = run(&mut tracker, &twice);
        // Everything again, hours later, as a faulty proxy might send it.
        let late: Vec<_> = once
            .iter()
            .filter(|(_, observation, _)| matches!(observation, Observation::Changed(_)))
            .map(|(source, observation, now)| (*source, observation.clone(), after(*now, 3_600_000)))
            .collect();
        ended.extend(run(&mut tracker, &late));
        assert_eq!(finish(tracker, ended), expected, "{name}");
    }
}

/// The list of the API server after the first `count` events: the objects that exist by then.
fn relist(lines: &[(Source, Observation, Timestamp)], kind: Kind) -> Vec<Observation> {
    let mut objects: BTreeMap<String, Object> = BTreeMap::new();
    for (source, observation, _) in lines {
        match observation {
            Observation::Changed(object) if source.kind == kind => {
                objects.insert(object.metadata().uid.to_string(), object.clone());
            }
            Observation::Deleted(object) => {
                objects.remove(&*object.metadata().uid);
            }
            _ => {}
        }
    }
    let items = objects.into_values().map(Observation::Listed);
    std::iter::once(Observation::ListBegins)
        .chain(items)
        .chain([Observation::ListEnds])
        .collect()
}

const LISTED: [Kind; 4] = [Kind::CronJobs, Kind::Jobs, Kind::Pods, Kind::JobEvents];

#[test]
fn a_relist_at_any_moment_loses_and_repeats_no_job() {
    for (name, expected) in expected() {
        let all = observed(&lines_of(&name));
        let step = all.len().div_ceil(40).max(1);
        for at in (1..=all.len()).step_by(step) {
            let now = all[at - 1].2;
            let mut tracker = Tracker::new(TrackerSettings::default());
            let mut disturbed = Vec::new();
            for kind in LISTED {
                for observation in [Observation::ListBegins, Observation::ListEnds] {
                    disturbed.push((Source { kind, scope: 0 }, observation, all[0].2));
                }
            }
            disturbed.extend_from_slice(&all[..at]);
            for _ in 0..2 {
                for kind in LISTED {
                    let list = relist(&all[..at], kind).into_iter();
                    disturbed.extend(list.map(|observation| (Source { kind, scope: 0 }, observation, now)));
                }
            }
            disturbed.extend_from_slice(&all[at..]);
            let ended = run(&mut tracker, &disturbed);
            assert_eq!(finish(tracker, ended), expected, "{name}, relist after {at} events");
        }
    }
}

#[test]
fn the_order_between_watches_does_not_matter() {
    for (name, expected) in expected() {
        let all = observed(&lines_of(&name));
        // Each stream by itself, in every order of a few: Events and Pods wholly before their Jobs, and after.
        for order in [
            [Kind::JobEvents, Kind::Pods, Kind::Jobs, Kind::CronJobs],
            [Kind::Pods, Kind::JobEvents, Kind::CronJobs, Kind::Jobs],
            [Kind::CronJobs, Kind::Jobs, Kind::Pods, Kind::JobEvents],
        ] {
            let now = all[0].2;
            let mut tracker = Tracker::new(TrackerSettings::default());
            for kind in order {
                for (source, observation, _) in all.iter().filter(|(source, ..)| source.kind == kind) {
                    tracker.apply(*source, observation.clone(), now);
                }
            }
            let mut ended: Vec<Evidence> = std::iter::from_fn(|| tracker.drain(true)).collect();
            let pods = ended.iter().map(|evidence| evidence.pods.len()).sum::<usize>();
            let had_pods = all.iter().any(|(source, ..)| source.kind == Kind::Pods);
            assert!(
                pods > 0 || !had_pods || ended.is_empty(),
                "{name}: Pods got lost, {order:?}"
            );
            ended.extend(tracker.into_unfinished());
            assert_eq!(found(&ended), expected, "{name}, {order:?}");
        }
    }
}

#[test]
fn a_pod_keeps_the_evidence_that_its_deletion_erases() {
    let evidence = |name: &str| {
        let text = text_of(name);
        let settings = TrackerSettings {
            // Long enough for the Pod's last states to arrive before the Job is judged.
            settle: SignedDuration::from_secs(60),
            ..Default::default()
        };
        replay(BufReader::new(text.as_bytes()), settings)
            .unwrap()
            .ended
            .remove(0)
    };
    let image = evidence("deadline-imagepull");
    let container = &image.pods[0].containers[0];
    let waiting = container.waiting.as_ref().unwrap();
    assert_eq!(&*waiting.reason, "ImagePullBackOff");
    assert!(waiting.message.contains("no such host"), "{}", waiting.message);
    assert!(!container.started);
    assert!(
        container
            .terminations
            .iter()
            .all(|end| !end.ran && !end.before_deletion)
    );
    let deletion = image.pods[0].deletion.unwrap();
    assert_eq!(deletion.requested.to_string(), "2026-11-23T16:14:36Z");
    assert_eq!(deletion.grace_seconds, 2);

    let oom = evidence("oom-onfailure");
    let ends = &oom.pods[0].containers[0].terminations;
    let reasons: Vec<_> = ends.iter().map(|end| (&*end.reason, end.before_deletion)).collect();
    assert_eq!(reasons, [("Error", true), ("OOMKilled", true)]);
    assert!(oom.pods[0].removed);

    // A Pod that is cleaned up after it had ended was not killed.
    let ttl = evidence("ttl0-failure");
    assert_eq!(ttl.pods[0].deletion, None);
    let sidecar = evidence("backoff-sidecar");
    let roles: Vec<_> = sidecar.pods[0]
        .containers
        .iter()
        .map(|c| format!("{:?}", c.role))
        .collect();
    assert_eq!(roles, ["Sidecar", "Main"]);
}

#[test]
fn a_job_deleted_in_a_gap_gets_its_verdict_from_events() {
    let all = observed(&lines_of("ttl0-failure"));
    let jobs = Source {
        kind: Kind::Jobs,
        scope: 0,
    };
    let mut tracker = Tracker::new(TrackerSettings::default());
    let now = all[0].2;
    tracker.apply(jobs, Observation::ListBegins, now);
    tracker.apply(jobs, Observation::ListEnds, now);
    let first = all.iter().find(|(source, ..)| *source == jobs).unwrap();
    tracker.apply(jobs, first.1.clone(), now);
    tracker.apply(jobs, Observation::ListBegins, now);
    tracker.apply(jobs, Observation::ListEnds, now);
    // The Events are listed after the Jobs.
    for (source, observation, _) in all.iter().filter(|(source, ..)| source.kind == Kind::JobEvents) {
        tracker.apply(*source, observation.clone(), now);
    }
    assert_eq!(tracker.poll(after(now, 1_000)), None);
    let evidence = tracker.poll(after(now, 5_000)).unwrap();
    assert_eq!(evidence.job.outcome().as_str(), "Failed");
    assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
    assert_eq!(evidence.gaps, [Gap::WatchInterrupted, Gap::EndNotSeen]);
}

#[test]
fn ignores_finished_jobs_of_the_first_list_by_default() {
    for (on_first_start, count) in [(OnFirstStart::IgnoreFinished, 0), (OnFirstStart::ReportFinished, 1)] {
        let all = observed(&lines_of("backoff-exit1"));
        let mut tracker = Tracker::new(TrackerSettings {
            on_first_start,
            ..Default::default()
        });
        // Some time after it ended: what bears the same second as the start is reported.
        let now = after(all.last().unwrap().2, 10_000);
        for round in 0..2 {
            for kind in LISTED {
                for observation in relist(&all, kind) {
                    tracker.apply(Source { kind, scope: 0 }, observation, after(now, round * 10_000));
                }
            }
        }
        let ended: Vec<_> = std::iter::from_fn(|| tracker.drain(true)).collect();
        assert_eq!(ended.len(), count, "{on_first_start:?}");
        assert_eq!(tracker.sizes().reported, 1);
        assert_eq!(tracker.sizes().pods, 0);
    }
}

#[test]
fn forgets_deleted_jobs() {
    let all = observed(&lines_of("rerun-parallel-burst"));
    let mut tracker = Tracker::new(TrackerSettings::default());
    let ended = run(&mut tracker, &all).len() + std::iter::from_fn(|| tracker.drain(true)).count();
    assert_eq!(ended, 12);
    let sizes = tracker.sizes();
    assert_eq!((sizes.live, sizes.reported, sizes.pods, sizes.removed), (0, 0, 0, 12));
}

#[test]
fn names_an_invalid_line() {
    let error = |text: &str| {
        replay(text.as_bytes(), TrackerSettings::default())
            .unwrap_err()
            .to_string()
    };
    assert!(error("\n{\"t\":1}").starts_with("line 2: expected {\"t\": milliseconds"));
    let nodes = "{\"t\":1,\"resource\":\"nodes\",\"type\":\"ADDED\",\"object\":{}}";
    assert_eq!(
        error(nodes),
        "line 1: expected resource jobs, pods, events or cronjobs, found \"nodes\""
    );
    let no_uid = "{\"t\":1,\"resource\":\"jobs\",\"type\":\"ADDED\",\"object\":{\"kind\":\"Job\",\"metadata\":{\"name\":\"j\"}}}";
    assert_eq!(
        error(no_uid),
        "line 1: Job \"j\" in namespace \"\": metadata.uid is missing"
    );
}
