//! Very many lives of Jobs, with faults all the time:
//!
//! `CONSERVATION_LIVES=1000000 cargo test --release --test conservation -- soak --ignored --nocapture`
//!
//! `CONSERVATION_SEED=1000018` repeats a single run. Each run has its own cluster, collectors and oracle, which end with it: memory does
//! not grow with the number of lives.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::outcome::Outcome;
use crate::play::PATIENCE;
use crate::report::Report;
use crate::script::{Durability, Script};
use crate::{Scale, TURN, number, run, say, script_of};

/// The lives in all runs together.
const LIVES: u64 = 1_000_000;
/// A part of a run: it has the faults of one script.
const PART: Scale = Scale {
    jobs: 600,
    obstacles: 4,
    lasts: Duration::from_secs(6),
    memory: 128 * 1024 * 1024,
};
/// The parts of a run.
const PARTS: u32 = 10;
/// The seeds of the parts do not repeat those of other tests.
const FIRST_SEED: u64 = 1_000_000;
/// The number of concurrent runs. Those without faults wait for what has to be reported.
const TOGETHER: usize = 6;

/// The faults of several scripts, one after another.
async fn script(seed: u64, durability: Durability) -> Script {
    let mut steps = Vec::new();
    for part in 0..PARTS {
        let script = script_of(seed * u64::from(PARTS) + u64::from(part), durability, PART);
        steps.extend(
            script
                .0
                .into_iter()
                .map(|(at, action)| (PART.lasts * part + at, action)),
        );
    }
    steps.sort_by_key(|(at, _)| *at);
    Script(steps)
}

async fn play(seed: u64) -> Outcome {
    let durability = match seed % 2 {
        0 => Durability::File,
        _ => Durability::Cluster,
    };
    let scale = Scale {
        jobs: PART.jobs * PARTS,
        obstacles: PART.obstacles * PARTS as usize,
        lasts: PART.lasts * PARTS,
        ..PART
    };
    let script = script(seed, durability).await;
    run(seed, script, durability, scale, PATIENCE).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes an hour"]
async fn soak() {
    let _turn = TURN.lock().await;
    let run_lives = u64::from(PART.jobs * PARTS);
    let (first, lives) = match number("CONSERVATION_SEED") {
        Some(seed) => (seed, run_lives),
        None => (FIRST_SEED, number("CONSERVATION_LIVES").unwrap_or(LIVES)),
    };
    let began = Instant::now();
    let mut report = Report::default();
    let mut runs = JoinSet::new();
    let (mut started, mut ended) = (0, 0);
    loop {
        while runs.len() < TOGETHER && started * run_lives < lives {
            runs.spawn(play(first + started));
            started += 1;
        }
        let Some(outcome) = runs.join_next().await else { break };
        let outcome = outcome.expect("a run to its end");
        ended += outcome.jobs as u64;
        report.add(outcome);
        say(format!(
            "{ended} of {lives} lives after {:.0} s",
            began.elapsed().as_secs_f64()
        ));
    }
    assert!(ended >= lives, "{ended} of {lives} lives ended");
    report.finish();
}
