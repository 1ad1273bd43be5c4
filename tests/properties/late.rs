//! Joining late, or again after an interruption: a list shows the last versions of what exists, then the watch continues.

use std::collections::{BTreeMap, BTreeSet};

use job_event::Outcome;
use job_judge::Quality;
use job_tracker::replay::Recorded;
use job_watch::{Kind, Object, Observation, Source};

use crate::broader::{JOINED_LATE, JOINED_LATE_WITHOUT_EVENTS, Row, WITHOUT_EVENTS};
use crate::random::{Random, seed};
use crate::recording::{Feed, Recording, Verdicts, all, verdicts, worse};

/// Recordings of at most this many lines are joined at each line, others at as many random ones.
const POSITIONS: usize = 60;
/// How many interruptions of each recording.
const INTERRUPTIONS: usize = 30;

fn positions(recording: &Recording, random: &mut Random) -> BTreeSet<usize> {
    let all = recording.lines.len() + 1;
    if all <= POSITIONS {
        return (0..all).collect();
    }
    (0..POSITIONS).map(|_| random.below(all)).collect()
}

/// Lists what exists after the first `seen` lines; of Events only if they have not expired.
fn list(feed: &mut Feed, recording: &Recording, seen: usize, expired: bool) {
    let t = recording.lines[..seen].last().map_or(0, |line| line.t);
    feed.poll(t);
    let now = feed.time(t);
    let mut objects: BTreeMap<(Kind, &str), &Object> = BTreeMap::new();
    for line in &recording.lines[..seen] {
        match &line.observation {
            Some(Observation::Changed(object)) => {
                objects.insert((line.source.kind, &object.metadata().uid), object);
            }
            // Events stay for an hour.
            Some(Observation::Deleted(object)) if line.source.kind != Kind::JobEvents => {
                objects.remove(&(line.source.kind, &object.metadata().uid));
            }
            _ => {}
        }
    }
    for kind in [Kind::CronJobs, Kind::Jobs, Kind::Pods, Kind::JobEvents] {
        let source = Source { kind, scope: 0 };
        feed.tracker.apply(source, Observation::ListBegins, now);
        let listed = |of: Kind| of == kind && !(expired && of == Kind::JobEvents);
        for (_, object) in objects.iter().filter(|((of, _), _)| listed(*of)) {
            feed.tracker.apply(source, Observation::Listed((*object).clone()), now);
        }
        feed.tracker.apply(source, Observation::ListEnds, now);
    }
}

fn follow(feed: &mut Feed, lines: &[Recorded]) {
    for line in lines {
        feed.poll(line.t);
        feed.line(line);
    }
}

fn compare(
    recording: &Recording,
    what: &str,
    known: &Verdicts,
    found: &Verdicts,
    table: &[Row],
    wrong: &mut BTreeSet<String>,
) {
    for (uid, found) in found {
        let known = &known[uid];
        let name = &recording.name;
        if let Some(problem) = worse(known, found, table) {
            wrong.insert(format!("{name}, {what}: {problem}"));
        } else if found.cause != known.cause && found.quality != Quality::Partial {
            wrong.insert(format!(
                "{name}, {what}: {:?} and nothing says that evidence is missing",
                found.cause
            ));
        }
    }
}

#[test]
fn who_joins_late_knows_less_but_nothing_wrong() {
    join(false, &JOINED_LATE);
}

#[test]
fn who_joins_when_events_have_expired_knows_even_less() {
    let table: Vec<Row> = JOINED_LATE
        .into_iter()
        .chain(JOINED_LATE_WITHOUT_EVENTS)
        .chain(WITHOUT_EVENTS)
        .collect();
    join(true, &table);
}

/// Joins at every position.
fn join(expired: bool, table: &[Row]) {
    let seed = seed();
    let mut wrong = BTreeSet::new();
    for recording in all() {
        let known = &recording.verdicts;
        for seen in positions(&recording, &mut Random::new(seed)) {
            let mut feed = match expired {
                true => Feed::at("2099-01-01T00:00:00Z".parse().unwrap()),
                false => Feed::new(),
            };
            list(&mut feed, &recording, seen, expired);
            follow(&mut feed, &recording.lines[seen..]);
            let found = verdicts(feed.finish());
            compare(
                &recording,
                &format!("joined at line {seen}"),
                known,
                &found,
                table,
                &mut wrong,
            );
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "PROPERTY_SEED={seed}\n{}", wrong.join("\n"));
}

#[test]
fn an_interruption_loses_no_job_and_makes_no_wrong_cause() {
    let seed = seed();
    let mut wrong = BTreeSet::new();
    for recording in all() {
        let known = &recording.verdicts;
        let mut random = Random::new(seed);
        for _ in 0..INTERRUPTIONS {
            let from = random.below(recording.lines.len() + 1);
            let to = from + random.below(recording.lines.len() + 1 - from);
            let mut feed = Feed::new();
            list(&mut feed, &recording, 0, false);
            follow(&mut feed, &recording.lines[..from]);
            list(&mut feed, &recording, to, false);
            follow(&mut feed, &recording.lines[to..]);
            let evidence = feed.finish();
            let what = format!("lines {from}..{to} missed");
            let seen_before = |uid: &str| {
                let lines = recording.lines[..from].iter().chain(&recording.lines[to..]);
                lines
                    .filter(|line| line.source.kind == Kind::Jobs)
                    .any(|line| match &line.observation {
                        Some(Observation::Changed(object)) => &*object.metadata().uid == uid,
                        _ => false,
                    })
            };
            for uid in known.keys().filter(|uid| seen_before(uid)) {
                if !evidence.contains_key(uid) {
                    wrong.insert(format!("{}, {what}: Job {uid} is lost", recording.name));
                }
            }
            let mut found = verdicts(evidence);
            // Its end was not seen: without its Events only its deletion is known, and not that another run replaced it
            // if that was missed as well.
            found.retain(|uid, found| {
                let was_replaced = known[uid].outcome == Outcome::Replaced;
                found.outcome != Outcome::Deleted || found.quality == Quality::Complete && !was_replaced
            });
            compare(&recording, &what, known, &found, &JOINED_LATE, &mut wrong);
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "PROPERTY_SEED={seed}\n{}", wrong.join("\n"));
}
