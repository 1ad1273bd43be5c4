use super::*;
use crate::decode::list_page;
use crate::model::{Job, Watched};
use crate::watch::listing::ONE_PIECE;

fn status(code: u16, in_band: bool) -> WatchError {
    WatchError::Status {
        code,
        message: "m".into(),
        retry_after: None,
        in_band,
    }
}

fn read(machine: &mut Machine, next: &str, version: &str) -> Result<bool, WatchError> {
    let body = format!(
        r#"{{"kind":"JobList","apiVersion":"batch/v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[]}}"#
    );
    machine.page_read(&list_page(&body, Job::TYPE).unwrap())
}

fn watching() -> Machine {
    let mut machine = Machine::new();
    assert_eq!(read(&mut machine, "next", "5"), Ok(false));
    assert_eq!(read(&mut machine, "", "5"), Ok(true));
    machine
}

/// True if the next request is the first page of a list with this limit.
fn is_at_first_page(machine: &Machine, limit: u32) -> bool {
    let listing = machine.listing();
    *machine.phase() == Phase::List && listing.token().is_empty() && listing.limit() == limit
}

#[test]
fn delays_double_up_to_a_limit_until_a_success() {
    let delays = |mut machine: Machine, failure: &WatchError| -> Vec<u128> {
        (0..100)
            .map(|_| machine.failed(failure, 1.0).after.as_millis())
            .collect()
    };
    let refused = WatchError::Connection("refused".into());
    for cheap in [
        delays(watching(), &WatchError::Silence(Duration::ZERO)),
        delays(watching(), &status(500, false)),
        delays(Machine::new(), &refused),
    ] {
        assert_eq!(cheap[..4], [800, 1600, 3000, 3000]);
        assert_eq!(cheap[99], 3000);
    }
    for costly in [
        delays(Machine::new(), &status(500, false)),
        delays(watching(), &status(410, true)),
        delays(Machine::new(), &WatchError::Cut),
    ] {
        assert_eq!(costly[..7], [800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        assert_eq!(costly[99], 30_000);
    }
    let mut machine = watching();
    machine.failed(&WatchError::Cut, 1.0);
    machine.progressed("9");
    assert_eq!(machine.failed(&WatchError::Cut, 0.0).after.as_millis(), 400);
}

#[test]
fn a_watch_resumes_at_its_version() {
    let mut machine = watching();
    machine.progressed("8");
    for failure in [
        WatchError::Cut,
        status(500, false),
        status(429, false),
        status(401, false),
        status(504, false),
    ] {
        assert!(!machine.failed(&failure, 0.5).relists);
        assert_eq!(*machine.phase(), Phase::Watch { version: "8".into() });
    }
}

#[test]
fn an_expired_version_relists_without_a_hot_loop() {
    for failure in [status(410, true), status(410, false), status(400, false)] {
        let mut machine = watching();
        let retry = machine.failed(&failure, 0.5);
        assert_eq!((retry.relists, retry.after), (true, Duration::from_millis(600)));
        assert!(is_at_first_page(&machine, 500));
        // The list succeeds, and the watch fails again.
        read(&mut machine, "", "6").unwrap();
        assert!(machine.failed(&failure, 0.5).after > Duration::from_millis(800));
    }
}

#[test]
fn an_expired_token_leads_to_a_list_in_one_piece() {
    let mut machine = Machine::new();
    read(&mut machine, "next", "5").unwrap();
    assert!(machine.failed(&status(410, false), 0.5).relists);
    assert!(is_at_first_page(&machine, ONE_PIECE));
    // Until that list is complete.
    machine.failed(&WatchError::Cut, 0.5);
    assert!(is_at_first_page(&machine, ONE_PIECE));
}

#[test]
fn a_broken_list_starts_at_its_first_page() {
    let mut machine = Machine::new();
    read(&mut machine, "next", "5").unwrap();
    assert!(machine.failed(&WatchError::Cut, 0.5).relists);
    assert!(is_at_first_page(&machine, 500));
}

#[test]
fn respects_retry_after_up_to_two_minutes() {
    let mut machine = watching();
    let ask = |seconds| WatchError::Status {
        code: 429,
        message: "m".into(),
        retry_after: Some(Duration::from_secs(seconds)),
        in_band: false,
    };
    assert_eq!(machine.failed(&ask(7), 0.5).after, Duration::from_secs(7));
    assert_eq!(machine.failed(&ask(86_400), 0.5).after, LAST_RETRY_AFTER);
}

#[test]
fn delays_watches_that_end_at_once() {
    let mut machine = watching();
    let (long, short) = (Duration::from_secs(240), Duration::from_millis(1));
    assert_eq!(machine.watch_ended(long, false, 0.0), Ok(Duration::ZERO));
    assert_eq!(machine.watch_ended(short, true, 0.0), Ok(Duration::from_millis(400)));
    assert_eq!(machine.watch_ended(short, false, 0.0), Err(WatchError::Empty));
}

#[test]
fn relists_after_repeated_error_events() {
    let mut machine = watching();
    let relists: Vec<bool> = (0..3)
        .map(|_| machine.failed(&status(500, true), 0.5).relists)
        .collect();
    assert_eq!(relists, [false, false, true]);
}

#[test]
fn relists_after_repeatedly_broken_watches() {
    let mut machine = watching();
    let relists = |machine: &mut Machine, times| -> Vec<bool> {
        (0..times)
            .map(|_| machine.failed(&WatchError::Cut, 0.5).relists)
            .collect()
    };
    assert_eq!(relists(&mut machine, 2), [false, false]);
    machine.progressed("8");
    machine.failed(&WatchError::Connection("refused".into()), 0.5);
    assert_eq!(relists(&mut machine, 3), [false, false, true]);
}

#[test]
fn accepts_an_older_list_the_second_time() {
    let mut machine = watching();
    machine.progressed("80");
    machine.failed(&status(410, true), 0.5);
    for attempt in [Err(()), Ok(true)] {
        let read = read(&mut machine, "", "7");
        assert_eq!(read.clone().map_err(drop), attempt);
        if let Err(failure) = read {
            assert!(matches!(failure, WatchError::BadList(_)));
            assert!(machine.failed(&failure, 0.5).relists);
        }
    }
    assert_eq!(*machine.phase(), Phase::Watch { version: "7".into() });
}

/// A machine whose list is requested as a stream.
fn streaming() -> Machine {
    let mut machine = Machine::new();
    assert!(machine.may_stream());
    machine.stream_begins();
    machine
}

#[test]
fn a_stream_leads_to_a_watch_from_its_version() {
    let mut machine = streaming();
    assert!(!machine.may_stream());
    assert!(machine.stream_received());
    assert!(!machine.stream_received(), "the list begins once");
    assert_eq!(machine.stream_complete("7"), Ok(()));
    assert_eq!(*machine.phase(), Phase::Watch { version: "7".into() });
    // An expired version leads to a list, which may be streamed.
    assert!(machine.failed(&status(410, true), 0.5).relists);
    assert!(machine.may_stream());
}

#[test]
fn a_list_in_pages_is_not_streamed_from_its_middle() {
    let mut machine = Machine::new();
    read(&mut machine, "next", "5").unwrap();
    assert!(!machine.may_stream());
}

#[test]
fn a_stream_is_retried_after_the_delay_of_a_list() {
    let reset = WatchError::Connection("reset".into());
    let delay = |received: bool, failure: &WatchError| {
        let mut machine = streaming();
        let delays: Vec<u128> = (0..4)
            .map(|_| {
                if machine.may_stream() {
                    machine.stream_begins();
                    if received {
                        machine.stream_received();
                    }
                }
                let retry = machine.failed(failure, 1.0);
                assert!(retry.relists);
                retry.after.as_millis()
            })
            .collect();
        (delays[3], machine.may_stream())
    };
    assert_eq!(delay(false, &reset), (3000, true), "a server that is not reached");
    assert_eq!(delay(false, &status(503, false)).0, 6400);
    assert_eq!(delay(false, &status(503, false)), (6400, false));
    assert_eq!(delay(false, &WatchError::Cut), (6400, false));
}

#[test]
fn a_broken_stream_is_retried_once_before_pages() {
    let reset = WatchError::Connection("reset".into());
    let mut machine = streaming();
    machine.stream_received();
    assert_eq!(machine.failed(&reset, 1.0).after.as_millis(), 800);
    assert!(machine.may_stream());
    machine.stream_begins();
    machine.stream_received();
    assert_eq!(machine.failed(&reset, 1.0).after.as_millis(), 1600, "a costly one");
    assert!(!machine.may_stream());
    read(&mut machine, "", "5").unwrap();
    machine.failed(&status(410, true), 0.5);
    assert!(machine.may_stream(), "the next list");
}

#[test]
fn pages_replace_a_stream_without_a_delay() {
    let mut machine = streaming();
    machine.read_pages();
    assert_eq!(machine.failures(), 0);
    assert!(is_at_first_page(&machine, 500) && !machine.may_stream());
    machine.failed(&status(403, false), 0.5);
    assert!(!machine.may_stream(), "until the list is complete");
    read(&mut machine, "", "5").unwrap();
    machine.failed(&status(410, true), 0.5);
    assert!(machine.may_stream());
}

#[test]
fn accepts_an_older_stream_the_second_time() {
    let mut machine = watching();
    machine.progressed("80");
    machine.failed(&status(410, true), 0.5);
    machine.stream_begins();
    let failure = machine.stream_complete("7").unwrap_err();
    assert!(matches!(failure, WatchError::BadList(_)));
    assert!(machine.failed(&failure, 0.5).relists);
    machine.stream_begins();
    assert_eq!(machine.stream_complete("7"), Ok(()));
    assert_eq!(*machine.phase(), Phase::Watch { version: "7".into() });
}

#[test]
fn a_stream_ends_with_a_version() {
    for version in ["", "0"] {
        let mut machine = streaming();
        let failure = machine.stream_complete(version).unwrap_err();
        assert!(matches!(failure, WatchError::NotStreamed(_)));
        assert_eq!(*machine.phase(), Phase::Stream { received: false });
    }
}
