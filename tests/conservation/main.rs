//! One event and one count for each decided Job, one event for each stall, recovery and missed run in spite of all faults: the
//! real binary between a simulated cluster and a simulated backend, while a script made from a seed injects faults on both sides and in the binary itself.
//!
//! `CONSERVATION_SEEDS` is the number of seeds, `CONSERVATION_SEED` runs a single one again. The ignored test `soak` plays
//! `CONSERVATION_LIVES` Jobs.

mod collector;
mod cron;
mod environment;
mod killed;
mod notices;
mod oracle;
mod outage;
mod outcome;
mod play;
mod report;
mod script;
mod soak;
mod stuck;
mod variant;

use std::io::Write;
use std::time::Duration;

use environment::{Environment, VERSIONS};
use outcome::{Outcome, conclude};
use play::{PATIENCE, Play};
use report::Report;
use script::{Durability, Script, Setting};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The simulated cluster makes millions of JSON values: with the allocator of glibc that takes half of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The tests of this file take turns: each of them needs the whole machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// Seeds, and the scale of the run of each. A debug build is an order of magnitude slower.
const SEEDS: u64 = if cfg!(debug_assertions) { 4 } else { 50 };
const SCALE: Scale = Scale {
    jobs: if cfg!(debug_assertions) { 120 } else { 500 },
    obstacles: if cfg!(debug_assertions) { 15 } else { 30 },
    lasts: Duration::from_secs(6),
    memory: 64 * 1024 * 1024,
};
/// How long a new Job may take once the faults are over.
const FRESH: Duration = Duration::from_secs(15);
/// The number of concurrent runs.
const TOGETHER: usize = if cfg!(debug_assertions) { 2 } else { 16 };
/// How many of them have faults at the same time; the others wait for what has to be reported. With more, a machine with two
/// processors plays the changes of Jobs many seconds late.
static PLAYING: Semaphore = Semaphore::const_new(4);

/// How much happens in a run.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Jobs of all kinds.
    jobs: u32,
    /// Jobs that meet an obstacle.
    obstacles: usize,
    /// For how long faults happen.
    lasts: Duration,
    /// The most memory a collector may have, in bytes.
    memory: u64,
}

/// Prints a line even if the test succeeds.
fn say(line: impl std::fmt::Display) {
    // A failure cannot be reported anywhere.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}: expected a number, found {value:?}")),
    )
}

/// The script of a seed for a collector with this durability.
fn script_of(seed: u64, durability: Durability, scale: Scale) -> Script {
    let setting = Setting {
        durability,
        lasts: scale.lasts,
        disk: durability == Durability::File && cfg!(target_os = "linux"),
    };
    Script::new(seed, setting)
}

/// Plays a script against a collector that keeps its state in `kept`.
async fn run(seed: u64, script: Script, kept: Durability, scale: Scale, patience: Duration) -> Outcome {
    let playing = PLAYING.acquire().await;
    let begin = Instant::now();
    // The other bit of the seed decides about the durability.
    let version = VERSIONS[(seed / 2 % 2) as usize];
    let mut environment = Environment::start(&format!("{kept:?}-{seed}"), kept, version).await;
    let mut play = Play::new(seed, &environment);
    play.plan_jobs(scale.jobs, scale.lasts);
    play.plan_obstacles(scale.obstacles, scale.lasts);
    play.plan_cronjobs(scale.lasts, &mut environment);
    play.plan_script(&script);
    play.go(&mut environment).await;
    drop(playing);
    let name = format!("seed {seed}, {kept:?}");
    let mut outcome = conclude(&name, begin, environment, play, &script, patience).await;
    if outcome.memory > scale.memory {
        let complaint = format!(
            "a collector had {} bytes of memory, expected {} at most",
            outcome.memory, scale.memory
        );
        outcome.complaints.push(complaint);
    }
    outcome
}

/// Plays the script of a seed.
async fn play_seed(seed: u64, scale: Scale) -> (u64, Outcome) {
    let durability = match seed % 2 {
        0 => Durability::File,
        _ => Durability::Cluster,
    };
    let script = script_of(seed, durability, scale);
    (seed, run(seed, script, durability, scale, PATIENCE).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_counted_twice_whatever_breaks() {
    let _turn = TURN.lock().await;
    let seeds = match number("CONSERVATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONSERVATION_SEEDS").unwrap_or(SEEDS),
    };
    let mut report = Report::default();
    let mut slow = Vec::new();
    let mut runs = JoinSet::new();
    let mut seeds = seeds.into_iter();
    loop {
        while runs.len() < TOGETHER
            && let Some(seed) = seeds.next()
        {
            runs.spawn(play_seed(seed, SCALE));
        }
        let Some(ended) = runs.join_next().await else { break };
        let (seed, outcome) = ended.expect("a run to its end");
        if outcome.fresh.is_some_and(|time| time > FRESH) {
            slow.push(seed);
        }
        report.add(outcome);
    }
    // With several runs on one machine each has but a part of its processors: alone they must be in time.
    for seed in slow {
        let (_, mut outcome) = play_seed(seed, SCALE).await;
        if let Some(time) = outcome.fresh.filter(|time| *time > FRESH) {
            let complaint =
                format!("a Job that failed after the faults came after {time:?}, expected {FRESH:?} at most");
            outcome.complaints.push(complaint);
        }
        report.add(outcome);
    }
    report.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_checkpoint_the_same_run_fails() {
    let _turn = TURN.lock().await;
    let seed = 1;
    let script = script_of(seed, Durability::File, SCALE);
    assert!(script.kinds().contains_key("kill -9"));
    let outcome = run(seed, script, Durability::None, SCALE, Duration::from_secs(5)).await;
    say(format!("to be lost: {outcome}"));
    assert!(outcome.losses() > 0, "{}", report::describe(&outcome));
}
