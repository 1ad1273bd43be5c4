use super::*;
use crate::Object;
use crate::watch::request::targets;

const JOBS: Source = Source {
    kind: Kind::Jobs,
    scope: 0,
};

thread_local! {
    /// When the test began: each runs on a thread of its own.
    static BEGAN: Instant = Instant::now();
}

fn at(second: u64) -> Instant {
    BEGAN.with(|began| *began) + Duration::from_secs(second)
}

fn refused() -> WatchError {
    WatchError::Connection("Connection refused".into())
}

/// One watch for Jobs whose first list was complete at 0.
fn listed() -> WatchHealth {
    let mut jobs = targets(&Kind::ALL, &[], &[], "");
    jobs.retain(|target| target.source == JOBS);
    let mut health = WatchHealth::new(&jobs, None, access::loss, at(0));
    assert_eq!(health.health(at(0)), Health::Starting);
    health.works(JOBS, at(72));
    health
}

fn reason(health: &WatchHealth, second: u64) -> Option<String> {
    match health.health(at(second)) {
        Health::Failing(reason) => Some(reason),
        Health::Starting | Health::Ok => None,
    }
}

#[test]
fn fails_only_after_a_minute_of_failures() {
    let mut health = listed();
    for (times, second) in [(1, 10), (2, 11), (3, 13), (4, 40)] {
        health.failed(JOBS, &refused(), times, at(second));
    }
    assert_eq!(health.health(at(70)), Health::Ok);
    let found = reason(&health, 71).unwrap();
    assert_eq!(
        found,
        "jobs of the cluster: cannot reach the API server: Connection refused"
    );
    health.works(JOBS, at(72));
    assert_eq!(health.health(at(72)), Health::Ok);
    // The next failures start a new series.
    health.heard(JOBS, at(72));
    health.failed(JOBS, &refused(), 2, at(73));
    assert_eq!(health.health(at(132)), Health::Ok);
}

#[test]
fn an_expired_version_is_expected_three_times() {
    let mut health = listed();
    let expired = WatchError::Status {
        code: 410,
        message: "m".into(),
        retry_after: None,
        in_band: true,
    };
    health.failed(JOBS, &expired, 3, at(10));
    assert_eq!(health.health(at(100)), Health::Ok);
    health.failed(JOBS, &expired, 4, at(100));
    assert!(reason(&health, 160).is_some());
}

#[test]
fn reports_an_invalid_list_at_once() {
    let mut health = listed();
    health.failed(JOBS, &WatchError::BadList("found {}".into()), 1, at(10));
    assert!(health.outage.lasts(), "logged");
    assert_eq!(health.health(at(69)), Health::Ok, "not an error yet");
    assert!(reason(&health, 70).unwrap().contains("found {}"));
}

#[test]
fn every_failure_before_the_first_list_counts() {
    let mut health = WatchHealth::new(&targets(&Kind::ALL, &[], &[], ""), None, access::loss, at(0));
    health.failed(JOBS, &refused(), 1, at(1));
    assert!(reason(&health, 1).is_some());
}

#[test]
fn fails_after_four_silent_minutes() {
    let mut health = listed();
    health.heard(JOBS, at(100));
    assert_eq!(health.health(at(339)), Health::Ok);
    let found = reason(&health, 340).unwrap();
    assert_eq!(found, "jobs of the cluster: nothing received for more than 240 s");
    let silence = health.silence(at(130));
    assert_eq!(silence, BTreeMap::from([(Kind::Jobs, Duration::from_secs(30))]));
}

#[test]
fn only_what_has_settled_is_proven() {
    let mut health = listed();
    let observed = Update::Observed;
    health.proves(JOBS, &observed(Observation::ListBegins), at(1));
    assert_eq!(health.proven(), []);
    health.proves(JOBS, &observed(Observation::ListEnds), at(4));
    health.proves(JOBS, &Update::Healthy(None), at(4));
    assert_eq!(health.proven(), []);
    assert_eq!(health.proven(), [(JOBS, at(1))], "the list is as old as its first page");
    health.proves(JOBS, &Update::Alive, at(60));
    assert_eq!(health.proven(), [(JOBS, at(1))]);
    let failure = refused();
    health.proves(JOBS, &Update::Failed { failure, times: 1 }, at(70));
    health.proves(JOBS, &observed(Observation::ListBegins), at(80));
    health.proves(JOBS, &observed(Observation::ListLacks), at(81));
    assert_eq!(
        health.proven(),
        [(JOBS, at(60))],
        "a list that has not ended proves nothing"
    );
    assert_eq!(health.proven(), [(JOBS, at(60))]);
}

#[test]
fn a_deletion_within_a_list_proves_nothing() {
    let mut health = listed();
    let observed = Update::Observed;
    let deleted = || observed(Observation::Deleted(Object::Job(Box::default())));
    health.proves(JOBS, &observed(Observation::ListBegins), at(1));
    health.proves(JOBS, &deleted(), at(50));
    assert!(health.is_listing(JOBS), "its version is no position to resume at");
    assert_eq!(health.proven(), []);
    assert_eq!(health.proven(), []);
    health.proves(JOBS, &observed(Observation::ListEnds), at(60));
    assert!(!health.is_listing(JOBS));
    health.proves(JOBS, &deleted(), at(70));
    health.proven();
    assert_eq!(health.proven(), [(JOBS, at(70))]);
}

#[test]
fn denied_kinds_other_than_jobs_are_not_required() {
    let mut health = WatchHealth::new(
        &targets(&Kind::ALL, &["a".into(), "b".into()], &[], ""),
        None,
        access::loss,
        at(0),
    );
    let denied = WatchError::Status {
        code: 403,
        message: "m".into(),
        retry_after: None,
        in_band: false,
    };
    for scope in [1, 2] {
        for kind in Kind::ALL {
            match kind {
                Kind::Jobs => health.works(Source { kind, scope }, at(0)),
                _ => health.failed(Source { kind, scope }, &denied, 1, at(0)),
            }
        }
    }
    health.heard(Source { scope: 2, ..JOBS }, at(50));
    assert_eq!(health.health(at(60)), Health::Ok);
    let silence = health.silence(at(60));
    assert_eq!(silence, BTreeMap::from([(Kind::Jobs, Duration::from_secs(60))]));
}

#[test]
fn the_state_of_a_watch_has_its_problem_and_restarts() {
    let mut health = listed();
    let states = WatchStates::default();
    let read = states.reader();
    let state = |health: &WatchHealth| {
        states.update(health);
        read().unwrap().remove(0)
    };
    let first = state(&health);
    assert_eq!((first.resource, first.namespace, first.restarts), ("jobs", None, 0));
    assert!(first.listed && !first.denied && first.problem.is_none());
    health.failed(JOBS, &refused(), 2, at(80));
    assert!(state(&health).problem.unwrap().contains("Connection refused"));
    health.works(JOBS, at(90));
    let (length, recovery) = (Duration::from_secs(10), Recovery::Resumed);
    health.resumed(JOBS, WatchGap { length, recovery });
    health.heard(JOBS, at(91));
    let last = state(&health);
    assert_eq!((last.problem, last.restarts, last.last_sign_of_life), (None, 1, at(91)));
    drop(states);
    assert_eq!(read(), None, "the watches have ended");
}
