//! Reports of notices: every event in every state, and their announcements.

use bytes::Bytes;
use jiff::Timestamp;
use job_event::Notice;
use job_event::evidence::Job;
use job_event::notice::{MissReason, MissedRuns, RecoveredJob, StalledJob};

use super::*;
use crate::checkpoint::{Checkpoint, Mark};

const NOW: Timestamp = Timestamp::constant(1_000_000, 0);
const JOB: u64 = 7;
const CRONJOB: u64 = 8;

/// A notice and its mark.
type Case = (Notice, Mark);

fn stalled() -> Case {
    let stalled = StalledJob {
        job: Job::default(),
        cause: "ImagePull",
        category: "image",
        retry: "no",
        summary: String::new(),
        next_step: String::new(),
        container: None,
        index: None,
        since: NOW,
        at: NOW,
    };
    let mark = Mark::Stalled {
        job: JOB,
        cause: "ImagePull".into(),
        since: NOW.as_second(),
    };
    (Notice::Stalled(Box::new(stalled)), mark)
}

fn recovered() -> Case {
    let recovered = RecoveredJob {
        job: Job::default(),
        causes: vec!["ImagePull".into()],
        since: NOW,
        at: NOW,
        outcome: None,
    };
    let mark = Mark::Recovered {
        job: JOB,
        causes: 1,
        is_over: false,
    };
    (Notice::Recovered(Box::new(recovered)), mark)
}

/// Runs missed from one slot to another.
fn missed_slots(first: i64, last: i64) -> Case {
    let at = |second| Timestamp::from_second(second).unwrap();
    let missed = MissedRuns {
        cronjob: Job::default(),
        time_zone: None,
        reason: MissReason::ControllerLate,
        message: String::new(),
        first: at(first),
        last: at(last),
        count: (last - first + 1).try_into().unwrap(),
        at: NOW,
    };
    let mark = Mark::Missed {
        cronjob: CRONJOB,
        slot: last,
    };
    (Notice::Missed(Box::new(missed)), mark)
}

fn missed() -> Case {
    missed_slots(100, 103)
}

fn new() -> Outbox {
    let mut outbox = Outbox::new(Checkpoint::new(100));
    outbox.announce_notices();
    outbox
}

fn decode(bytes: &Bytes) -> Checkpoint {
    Checkpoint::decode(bytes.clone(), 100).unwrap()
}

fn restart(bytes: &Bytes) -> Outbox {
    let mut outbox = Outbox::new(decode(bytes));
    outbox.announce_notices();
    outbox
}

fn add(outbox: &mut Outbox, (notice, mark): Case) -> bool {
    outbox.add_notice(notice.key(), &notice, mark)
}

fn apply(outbox: &mut Outbox, case: &Case, event: AckEvent) {
    outbox.apply(&case.0.key(), event);
}

/// Stores the checkpoint.
fn store(outbox: &mut Outbox) -> Bytes {
    let bytes = outbox.encode(NOW);
    outbox.written();
    bytes
}

fn send(outbox: &mut Outbox, case: Case) {
    assert!(add(outbox, case.clone()));
    store(outbox);
    assert_eq!(outbox.may_send(&case.0.key()), MaySend::Now);
    apply(outbox, &case, AckEvent::Sent);
}

fn report(outbox: &mut Outbox, case: Case) {
    send(outbox, case.clone());
    apply(outbox, &case, AckEvent::Acknowledged);
}

/// An outbox with the notice in that state; a recovery follows its stall.
fn outbox_in(state: AckState, case: &Case) -> Outbox {
    let mut outbox = new();
    if matches!(case.0, Notice::Recovered(_)) {
        report(&mut outbox, stalled());
        store(&mut outbox);
    }
    if state != AckState::Observed {
        add(&mut outbox, case.clone());
        store(&mut outbox);
    }
    let events: &[AckEvent] = match state {
        AckState::Observed | AckState::Decided => &[],
        AckState::Sent => &[AckEvent::Sent],
        AckState::Deferred => &[AckEvent::Sent, AckEvent::Deferred],
        AckState::Acknowledged | AckState::Storing | AckState::Stored => &[AckEvent::Sent, AckEvent::Acknowledged],
    };
    for event in events {
        apply(&mut outbox, case, *event);
    }
    if matches!(state, AckState::Storing | AckState::Stored) {
        outbox.encode(NOW);
        if state == AckState::Stored {
            outbox.written();
        }
    }
    outbox
}

const STATES: [AckState; 7] = [
    AckState::Observed,
    AckState::Decided,
    AckState::Sent,
    AckState::Deferred,
    AckState::Acknowledged,
    AckState::Storing,
    AckState::Stored,
];

/// The first letter of the state: `A` for every one after the acknowledgement.
fn letter(outbox: &Outbox, (notice, mark): &Case) -> char {
    match outbox.state(&notice.key()) {
        AckState::Observed if outbox.checkpoint.marks.covers(mark) => 'A',
        AckState::Observed => 'o',
        AckState::Decided => 'd',
        AckState::Sent => 's',
        AckState::Deferred => 'r',
        other => panic!("{other:?}"),
    }
}

/// An event, the state after it for each state before it, and how it reaches the outbox.
type Row<'a> = (&'a str, &'a str, &'a dyn Fn(&mut Outbox, &Case));

#[test]
fn every_event_of_a_notice_in_every_state() {
    let rows: &[Row<'_>] = &[
        ("state before", "odsrAAA", &|_, _| {}),
        ("found again", "ddsrAAA", &|o, case| {
            let _ = add(o, case.clone());
        }),
        ("sent", "osssAAA", &|o, case| apply(o, case, AckEvent::Sent)),
        ("sent again", "odssAAA", &|o, case| {
            assert!(o.resend().is_none_or(|key| key == case.0.key()));
        }),
        ("acknowledged", "odArAAA", &|o, case| {
            apply(o, case, AckEvent::Acknowledged)
        }),
        ("rejected", "odArAAA", &|o, case| apply(o, case, AckEvent::Rejected)),
        ("deferred", "odrrAAA", &|o, case| apply(o, case, AckEvent::Deferred)),
        ("dismissed", "ooooAAA", &|o, case| apply(o, case, AckEvent::Dismissed)),
        ("finished", "odsrAAA", &|o, case| apply(o, case, AckEvent::Finished)),
        ("skipped", "odsrAAA", &|o, case| apply(o, case, AckEvent::Skipped)),
        ("checkpoint encoded", "odsrAAA", &|o, _| drop(o.encode(NOW))),
        ("checkpoint stored", "odsrAAA", &|o, _| o.written()),
        ("checkpoint not stored", "odsrAAA", &|o, _| o.write_lost()),
        ("another replica announced it", "odsrooo", &|o, case| {
            let mut other = outbox_in(AckState::Sent, case);
            o.adopt(decode(&store(&mut other)));
        }),
        ("another replica reported it", "AAAAAAA", &|o, case| {
            o.adopt(outbox_in(AckState::Stored, case).checkpoint);
        }),
    ];
    for case in [stalled(), recovered(), missed()] {
        for (event, expected, apply) in rows {
            let after = STATES.map(|state| {
                let mut outbox = outbox_in(state, &case);
                apply(&mut outbox, &case);
                letter(&outbox, &case)
            });
            let after: String = after.iter().collect();
            assert_eq!(after, *expected, "{event}: {:?}", case.1);
        }
    }
}

#[test]
fn counts_notices_that_the_store_does_not_know() {
    for case in [stalled(), missed()] {
        let unstored = STATES.map(|state| outbox_in(state, &case).unstored());
        assert_eq!(unstored, [0, 0, 1, 1, 1, 1, 0], "{:?}", case.1);
        for state in STATES {
            let mut outbox = outbox_in(state, &case);
            outbox.adopt(outbox_in(AckState::Stored, &case).checkpoint);
            assert_eq!(outbox.unstored(), 0, "{state:?}");
            assert_eq!(outbox.resend(), None, "{state:?}");
        }
    }
}

#[test]
fn a_lost_write_of_a_notice_is_written_again() {
    let case = stalled();
    let mut outbox = outbox_in(AckState::Storing, &case);
    assert!(!outbox.checkpoint().is_dirty());
    outbox.write_lost();
    assert!(outbox.checkpoint().is_dirty());
    assert!(decode(&outbox.encode(NOW)).marks.covers(&case.1));
}

#[test]
fn a_notice_waits_for_its_announcement() {
    for case in [stalled(), missed()] {
        let key = case.0.key();
        let mut outbox = new();
        assert!(add(&mut outbox, case.clone()) && outbox.checkpoint().is_dirty());
        assert_eq!(outbox.may_send(&key), MaySend::Later);
        outbox.encode(NOW);
        outbox.write_lost();
        assert!(outbox.checkpoint().is_dirty());
        outbox.written();
        assert_eq!(outbox.may_send(&key), MaySend::Later, "the write was lost");
        let bytes = outbox.encode(NOW);
        assert_eq!(outbox.may_send(&key), MaySend::Later);
        outbox.written();
        assert_eq!(outbox.may_send(&key), MaySend::Now);
        // Killed before or after it was sent: it is reported again at once.
        let mut after = restart(&bytes);
        assert!(add(&mut after, case.clone()));
        assert_eq!(after.may_send(&key), MaySend::Now);
        // An announcement during a write is in the next one.
        let mut outbox = new();
        outbox.encode(NOW);
        add(&mut outbox, case);
        outbox.written();
        assert_eq!(outbox.may_send(&key), MaySend::Later);
    }
}

#[test]
fn without_a_store_no_notice_waits() {
    let case = stalled();
    let mut outbox = Outbox::new(Checkpoint::new(100));
    assert!(add(&mut outbox, case.clone()));
    assert_eq!(outbox.may_send(&case.0.key()), MaySend::Now);
    apply(&mut outbox, &case, AckEvent::Sent);
    assert_eq!(outbox.may_send(&case.0.key()), MaySend::Never);
}

#[test]
fn a_recovery_follows_a_stall_that_may_have_been_reported() {
    let mut outbox = new();
    assert!(!add(&mut outbox, recovered()), "nothing stalled");
    send(&mut outbox, stalled());
    let mut after = restart(&store(&mut outbox));
    report(&mut after, recovered());
    let mut after = restart(&store(&mut after));
    assert!(!add(&mut after, recovered()), "reported once");
    assert!(after.checkpoint.marks.announced_stalls.is_empty());
}

#[test]
fn announced_runs_outlive_later_ones() {
    let (earlier, later) = (missed_slots(100, 103), missed_slots(104, 104));
    let mut outbox = new();
    send(&mut outbox, earlier.clone());
    report(&mut outbox, later.clone());
    let mut after = restart(&store(&mut outbox));
    assert!(!add(&mut after, later), "acknowledged");
    let marks = &after.checkpoint.marks;
    assert_eq!(marks.cronjobs[&CRONJOB].slot, 104);
    let announced = marks.announced_runs[&(CRONJOB, 100)];
    assert_eq!(
        (announced.last, announced.count, announced.reason),
        (103, 4, MissReason::ControllerLate)
    );
    report(&mut after, earlier.clone());
    let mut after = restart(&store(&mut after));
    assert!(!add(&mut after, earlier) && after.checkpoint.marks.announced_runs.is_empty());
}

#[test]
fn a_dismissed_notice_is_not_announced() {
    for case in [stalled(), missed()] {
        let mut outbox = outbox_in(AckState::Decided, &case);
        apply(&mut outbox, &case, AckEvent::Dismissed);
        let marks = decode(&outbox.encode(NOW)).marks;
        assert!(!marks.announces(&case.1) && !marks.covers(&case.1));
        assert!(marks.stalls.is_empty());
    }
}

#[test]
fn an_announcement_that_the_store_never_had_is_dropped() {
    for (case, expected) in [(stalled(), "ooooooo"), (recovered(), "odsrooo"), (missed(), "ooooooo")] {
        let after = STATES.map(|state| {
            let mut outbox = outbox_in(state, &case);
            outbox.adopt(outbox_in(AckState::Observed, &case).checkpoint);
            letter(&outbox, &case)
        });
        assert_eq!(after.iter().collect::<String>(), expected, "{:?}", case.1);
    }
}

#[test]
fn runs_are_not_reported_in_two_groups() {
    let mut first = new();
    add(&mut first, missed_slots(100, 103));
    let mut second = new();
    report(&mut second, missed_slots(100, 102));
    first.adopt(decode(&store(&mut second)));
    assert!(!add(&mut first, missed_slots(100, 102)), "reported");
    assert_eq!(first.may_send(&missed_slots(100, 103).0.key()), MaySend::Never);
    assert!(first.checkpoint.marks.announced_runs.is_empty());
}
