//! Ten thousand Jobs fail and are deleted at once, and in the middle of it the collector is killed.

use std::time::Duration;

use tokio::time::Instant;

use crate::play::{Play, conclude};
use crate::script::{Action, Durability, Script};
use crate::world::World;
use crate::{TURN, report, say};

const JOBS: u32 = if cfg!(debug_assertions) { 400 } else { 10_000 };
const OVER: Duration = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 40 });
/// How long the killed process is away: with a second one longer than that takes to lead.
const AWAY: Duration = Duration::from_secs(6);
/// Only a loss takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

async fn all_are_counted_although_one_is_killed(name: &str, durability: Durability) {
    let _turn = TURN.lock().await;
    let begin = Instant::now();
    let mut world = World::start(&name.replace(' ', "-"), durability).await;
    let leads = |log: String| durability.replicas() == 1 || log.contains("this replica leads");
    let leader = world.collectors.iter().position(|collector| leads(collector.log()));
    let leader = leader.expect("a replica leads once all watch");
    let script = Script(vec![
        (OVER / 2, Action::Kill(leader)),
        (OVER / 2 + AWAY, Action::Start(leader)),
    ]);
    let mut play = Play::new(1, &world);
    play.plan_failures(JOBS, OVER);
    play.plan_script(&script);
    play.go(&mut world).await;
    let outcome = conclude(name, begin, world, play, &script, PATIENCE).await;
    say(&outcome);
    assert!(outcome.holds(), "{}", report::describe(&outcome));
    assert_eq!(
        outcome.decided,
        JOBS as usize + 1,
        "and the one that shows that all is well again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_with_a_file() {
    all_are_counted_although_one_is_killed("ten thousand, a file", Durability::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_with_two_replicas() {
    all_are_counted_although_one_is_killed("ten thousand, two replicas", Durability::Cluster).await;
}
