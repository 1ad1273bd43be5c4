//! A single read at the end: the last versions of the objects that still exist, and the Events, as `explain` reads them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use job_event::{Evidence, Outcome};
use job_tracker::replay::{Recorded, after};
use job_tracker::{TrackerSettings, snapshot};
use job_watch::snapshot::Snapshot;
use job_watch::{Kind, Object, Observation};

use crate::broader::{LATE_LOOK, Row};
use crate::random::{Random, seed};
use crate::recording::{Recording, Verdicts, all, recordings, show, verdict, worse};

/// The objects of a cluster that a read at the end still finds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    /// Everything that was not deleted, and all Events.
    Everything,
    /// Events of type `Normal` about Pods are missing.
    Warnings,
    /// No Pod is left.
    NoPods,
    NoPodsOnlyWarnings,
}

/// The indexes of the lines with the last versions of the remaining objects, owners first.
fn left(recording: &Recording, of: Left) -> Vec<usize> {
    let mut last: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for (place, line) in recording.lines.iter().enumerate() {
        let key = |object: &Object| (line.source.kind, object.metadata().uid.to_string());
        match &line.observation {
            Some(Observation::Changed(object)) => {
                last.insert(key(object), place);
            }
            Some(Observation::Deleted(object)) if line.source.kind != Kind::JobEvents => {
                last.remove(&key(object));
            }
            _ => {}
        }
    }
    let is_pod = |place: &usize| recording.lines[*place].source.kind == Kind::Pods;
    let is_normal = |place: &usize| {
        let object = &recording.json[*place]["object"];
        object["involvedObject"]["kind"] == "Pod" && object["type"] == "Normal"
    };
    let is_left = |place: &usize| match of {
        Left::Everything => true,
        Left::Warnings => !is_normal(place),
        Left::NoPods => !is_pod(place),
        Left::NoPodsOnlyWarnings => !is_pod(place) && !is_normal(place),
    };
    last.into_values().filter(is_left).collect()
}

/// As a recording that begins when everything has happened.
fn replayed(recording: &Recording, places: &[usize]) -> Vec<Evidence> {
    let lines = places.iter().map(|place| {
        let mut line = recording.json[*place].clone();
        line["t"] = 0.into();
        line["type"] = "ADDED".into();
        line.to_string() + "\n"
    });
    let text: String = lines.collect();
    let replay = job_tracker::replay::replay(text.as_bytes(), TrackerSettings::default()).unwrap();
    replay.ended.into_iter().chain(replay.unfinished).collect()
}

/// As the lists that `explain` reads.
fn listed(recording: &Recording, places: &[usize]) -> Vec<Evidence> {
    let mut found = Snapshot::default();
    for place in places {
        let line: &Recorded = &recording.lines[*place];
        let Some(Observation::Changed(object)) = &line.observation else {
            continue;
        };
        let about_pod = matches!(object, Object::Event(event) if &*event.involved_object.kind == "Pod");
        let kind = if about_pod { Kind::PodEvents } else { line.source.kind };
        found.objects.entry(kind).or_default().push(object.clone());
    }
    let begin = recording.lines.iter().find_map(|line| line.created);
    let now: Timestamp = after(begin.unwrap_or_default(), recording.end());
    snapshot::evidence(found, now)
}

/// The failed Jobs that a look finds.
#[derive(Default)]
struct Looks {
    /// How many have the cause that a watch of the whole time gives.
    same: usize,
    /// Those with a broader cause.
    broader: Vec<String>,
    wrong: Vec<String>,
}

impl Looks {
    fn add(&mut self, name: &str, found: &[Evidence], known: &Verdicts, table: &[Row]) {
        for evidence in found {
            let (found, known) = (verdict(evidence), &known[&*evidence.job.uid]);
            if known.outcome != Outcome::Failed {
                continue;
            }
            let text = format!("{name}: {} instead of {}", show(&found), show(known));
            if worse(known, &found, table).is_some() {
                self.wrong.push(text);
            } else if found.cause == known.cause {
                self.same += 1;
            } else {
                self.broader.push(text);
            }
        }
    }
}

/// Removes about every third Event about a Pod.
fn lose(recording: &Recording, places: &mut Vec<usize>, random: &mut Random) {
    let is_of_pod = |place: usize| recording.json[place]["object"]["involvedObject"]["kind"] == "Pod";
    places.retain(|place| !is_of_pod(*place) || random.below(3) > 0);
}

/// Both looks at every recording.
fn look(recordings: &[Recording], of: Left, table: &[Row]) -> [Looks; 2] {
    let mut looks = [Looks::default(), Looks::default()];
    for recording in recordings {
        let places = left(recording, of);
        let found = [replayed(recording, &places), listed(recording, &places)];
        for (looks, found) in looks.iter_mut().zip(found) {
            looks.add(&recording.name, &found, &recording.verdicts, table);
        }
    }
    looks
}

#[test]
fn a_late_look_finds_the_cause_of_almost_every_job() {
    for looks in look(&recordings(), Left::Everything, &LATE_LOOK) {
        println!("{} have the same cause\n{}", looks.same, looks.broader.join("\n"));
        assert!(looks.wrong.is_empty(), "{}", looks.wrong.join("\n"));
        assert_eq!(looks.same + looks.broader.len(), 40);
        assert!(looks.same >= 37, "{}: {}", looks.same, looks.broader.join("\n"));
    }
}

#[test]
fn a_late_look_at_less_finds_nothing_wrong() {
    let recordings = all();
    for of in [Left::Everything, Left::Warnings, Left::NoPods, Left::NoPodsOnlyWarnings] {
        for looks in look(&recordings, of, &LATE_LOOK) {
            println!(
                "{of:?}: {} have the same cause\n{}",
                looks.same,
                looks.broader.join("\n")
            );
            assert!(looks.wrong.is_empty(), "{of:?}: {}", looks.wrong.join("\n"));
        }
    }
}

#[test]
fn lost_events_make_no_cause_wrong() {
    let seed = seed();
    let mut looks = Looks::default();
    for recording in all() {
        let mut random = Random::new(seed);
        for _ in 0..20 {
            let mut places = left(&recording, Left::NoPods);
            lose(&recording, &mut places, &mut random);
            let found = listed(&recording, &places);
            looks.add(&recording.name, &found, &recording.verdicts, &LATE_LOOK);
        }
    }
    looks.wrong.sort();
    looks.wrong.dedup();
    assert!(
        looks.wrong.is_empty(),
        "PROPERTY_SEED={seed}\n{}",
        looks.wrong.join("\n")
    );
}
