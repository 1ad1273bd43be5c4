//! The backend is unavailable for a long time while more Jobs fail.

use std::collections::BTreeMap;
use std::time::Duration;

use simulator::otlp_intake::Signal;
use tokio::time::Instant;

use crate::environment::{Environment, VERSIONS};
use crate::outcome::conclude;
use crate::play::{PATIENCE, Play};
use crate::script::{Action, Durability, Script};
use crate::{TURN, report, say};

/// The number of Jobs, and the length of the outage: ten minutes of the cluster, which is 20 times as fast as a real
/// one.
const JOBS: u32 = if cfg!(debug_assertions) { 300 } else { 6000 };
const AWAY: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 30 });
/// The most memory the collector may have, in bytes.
const MEMORY: u64 = 128 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_away_for_ten_minutes_gets_everything_in_order() {
    let _turn = TURN.lock().await;
    let durability = Durability::None;
    let begin = Instant::now();
    let script = Script(vec![
        (Duration::from_millis(500), Action::Close(true)),
        (AWAY, Action::Close(false)),
    ]);
    let mut environment = Environment::start_with("outage", durability, VERSIONS[0], 1).await;
    let mut play = Play::new(1, &environment);
    play.plan_failures(JOBS, AWAY);
    play.plan_script(&script);
    play.go(&mut environment).await;
    let intake = environment.intake.clone();
    let outcome = conclude("backend away", begin, environment, play, &script, PATIENCE).await;
    say(&outcome);
    assert!(outcome.holds(), "{}", report::describe(&outcome));
    assert!(outcome.memory < MEMORY, "{} bytes", outcome.memory);
    let mut sent: BTreeMap<Signal, Vec<u64>> = BTreeMap::new();
    for received in intake.received() {
        let times = sent.entry(received.signal).or_default();
        times.extend(received.payload.records().iter().map(|record| record.time_unix_nano));
        times.extend(received.payload.points().iter().map(|point| point.time_unix_nano));
    }
    assert_eq!(sent[&Signal::Logs].len(), JOBS as usize + 1);
    for (signal, times) in sent {
        let late = times.windows(2).find(|two| two[0] > two[1]);
        assert_eq!(late, None, "{signal}: the oldest first");
    }
}
