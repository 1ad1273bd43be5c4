//! Every event in every state.

use super::*;
use crate::checkpoint::Checkpoint;

const NOW: Timestamp = Timestamp::constant(1_000_000, 0);

fn job() -> Uid {
    Uid::new("job")
}

/// The states, in the order of the columns below.
const STATES: [AckState; 7] = [
    AckState::Observed,
    AckState::Decided,
    AckState::Sent,
    AckState::Deferred,
    AckState::Acknowledged,
    AckState::Storing,
    AckState::Stored,
];

fn outbox() -> Outbox {
    let mut outbox = Outbox::new(Checkpoint::new(100));
    outbox.begin("", Timestamp::UNIX_EPOCH);
    outbox
}

/// An outbox with the Job in that state, and the last stored checkpoint.
fn outbox_in(state: AckState) -> (Outbox, Bytes) {
    let mut outbox = outbox();
    let mut stored = outbox.encode(NOW);
    outbox.written();
    let steps: &[&dyn Fn(&mut Outbox)] = &[
        &|outbox| outbox.finished("", job(), NOW),
        &|outbox| outbox.apply(&job(), AckEvent::Sent),
        &|outbox| outbox.apply(&job(), AckEvent::Deferred),
        &|outbox| assert_eq!(outbox.resend(), Some(job())),
        &|outbox| outbox.apply(&job(), AckEvent::Acknowledged),
    ];
    let count = match state {
        AckState::Observed => 0,
        AckState::Decided => 1,
        AckState::Sent => 2,
        AckState::Deferred => 3,
        AckState::Acknowledged | AckState::Storing | AckState::Stored => 5,
    };
    for step in &steps[..count] {
        step(&mut outbox);
    }
    if matches!(state, AckState::Storing | AckState::Stored) {
        let bytes = outbox.encode(NOW);
        if state == AckState::Stored {
            outbox.written();
            stored = bytes;
        }
    }
    assert_eq!(outbox.state(&job()), state);
    (outbox, stored)
}

/// The first letters of the states after an event.
fn letter(state: AckState) -> char {
    match state {
        AckState::Observed => 'o',
        AckState::Decided => 'd',
        AckState::Sent => 's',
        AckState::Deferred => 'r',
        AckState::Acknowledged => 'a',
        AckState::Storing => 'w',
        AckState::Stored => 'S',
    }
}

/// An event, the state after it for each state before it, and how it reaches the outbox.
type Row<'a> = (&'a str, &'a str, &'a dyn Fn(&mut Outbox, &Bytes));

fn stored(bytes: &Bytes) -> Checkpoint {
    Checkpoint::decode(bytes.clone(), 100).unwrap()
}

/// The checkpoint of another replica that has reported the Job.
fn reported_elsewhere() -> Checkpoint {
    stored(&outbox_in(AckState::Stored).1)
}

#[test]
fn every_event_in_every_state() {
    let rows: &[Row<'_>] = &[
        ("state before", "odsrawS", &|_, _| {}),
        ("finished, or listed again", "ddsrawS", &|o, _| {
            o.finished("", job(), NOW)
        }),
        ("finished before Jobs are reported", "adsrawS", &|o, _| {
            o.skip("", job(), NOW)
        }),
        ("sent", "osssawS", &|o, _| o.apply(&job(), AckEvent::Sent)),
        ("sent again", "odssawS", &|o, _| {
            assert!(o.resend().is_none_or(|uid| uid == job()))
        }),
        ("acknowledged", "odarawS", &|o, _| {
            o.apply(&job(), AckEvent::Acknowledged)
        }),
        ("rejected", "odarawS", &|o, _| o.apply(&job(), AckEvent::Rejected)),
        ("deferred", "odrrawS", &|o, _| o.apply(&job(), AckEvent::Deferred)),
        ("dismissed", "ooooawS", &|o, _| o.apply(&job(), AckEvent::Dismissed)),
        ("deleted", "odsrawS", &|o, _| o.over(&job(), NOW)),
        ("checkpoint encoded", "odsrwwS", &|o, _| drop(o.encode(NOW))),
        ("checkpoint stored", "odsraSS", &|o, _| o.written()),
        ("checkpoint not stored", "odsraaS", &|o, _| o.write_lost()),
        ("another replica did not report it", "odsrooo", &|o, _| {
            o.adopt(outbox().checkpoint)
        }),
        ("another replica reported it", "SSSSSSS", &|o, _| {
            o.adopt(reported_elsewhere())
        }),
        ("this process leads again", "odsrooS", &|o, bytes| {
            o.adopt(stored(bytes))
        }),
        ("restart", "ooooooS", &|o, bytes| *o = Outbox::new(stored(bytes))),
    ];
    for (event, expected, apply) in rows {
        let after = STATES.map(|state| {
            let (mut outbox, bytes) = outbox_in(state);
            apply(&mut outbox, &bytes);
            letter(outbox.state(&job()))
        });
        assert_eq!(after.iter().collect::<String>(), *expected, "{event}");
    }
}

#[test]
fn counts_jobs_that_the_store_does_not_know() {
    let unstored = STATES.map(|state| outbox_in(state).0.unstored());
    assert_eq!(unstored, [0, 0, 1, 1, 1, 1, 0]);
    // Acknowledged while a checkpoint is being written: in the next one.
    let (mut outbox, _) = outbox_in(AckState::Sent);
    outbox.encode(NOW);
    outbox.apply(&job(), AckEvent::Acknowledged);
    outbox.written();
    assert_eq!((outbox.unstored(), outbox.state(&job())), (1, AckState::Acknowledged));
    assert!(outbox.checkpoint().is_dirty());
    for state in STATES {
        let (mut outbox, _) = outbox_in(state);
        outbox.adopt(reported_elsewhere());
        assert_eq!(outbox.unstored(), 0, "{state:?}");
    }
}

#[test]
fn a_lost_write_is_written_again() {
    let (mut outbox, _) = outbox_in(AckState::Storing);
    assert!(!outbox.checkpoint().is_dirty());
    outbox.write_lost();
    assert!(outbox.checkpoint().is_dirty());
    assert!(stored(&outbox.encode(NOW)).lists(&job()));
}

#[test]
fn a_job_that_another_replica_reported_is_not_sent_again() {
    let (mut outbox, _) = outbox_in(AckState::Deferred);
    outbox.adopt(reported_elsewhere());
    assert_eq!(outbox.resend(), None);
}
