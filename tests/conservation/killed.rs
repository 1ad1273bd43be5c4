//! The collector is killed in the middle of very many Jobs that fail and are deleted at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::environment::{Environment, VERSIONS};
use crate::outcome::conclude;
use crate::play::{PATIENCE, Play};
use crate::script::{Action, Durability, Script};
use crate::{TURN, report, say};

/// The number of Jobs, and the time in which they are created.
const JOBS: u32 = if cfg!(debug_assertions) { 150 } else { 10_000 };
const OVER: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 20 });
/// The downtime of the process.
const AWAY: Duration = Duration::from_secs(2);
/// The most memory a collector may have, in bytes.
const MEMORY: u64 = 192 * 1024 * 1024;

/// Kills the collector, of several the one that leads, half-way through and starts it again.
async fn kill_in_the_middle(name: &str, durability: Durability) {
    let begin = Instant::now();
    let mut environment = Environment::start(name, durability, VERSIONS[0]).await;
    let mut play = Play::new(1, &environment);
    // No other replica begins to lead until it dies.
    let victim = environment.until_led(PATIENCE).await;
    let script = Script(vec![
        (OVER / 2, Action::Kill(victim)),
        (OVER / 2 + AWAY, Action::Start(victim)),
    ]);
    play.plan_failures(JOBS, OVER);
    play.plan_script(&script);
    play.go(&mut environment).await;
    let outcome = conclude(name, begin, environment, play, &script, PATIENCE).await;
    say(&outcome);
    assert!(outcome.holds(), "{}", report::describe(&outcome));
    assert_eq!(outcome.decided, JOBS as usize + 1, "and the one after");
    assert!(outcome.memory < MEMORY, "{} bytes", outcome.memory);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again_it_counts_all_of_them() {
    let _turn = TURN.lock().await;
    kill_in_the_middle("killed", Durability::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_the_other_replica_counts_all_of_them() {
    let _turn = TURN.lock().await;
    kill_in_the_middle("leader killed", Durability::Cluster).await;
}
