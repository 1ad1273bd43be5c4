//! Several exporters at once: one slow, one down for a while. None holds up the others, and all end with the same totals.

use std::time::Duration;

use jiff::Timestamp;
use simulator::otlp_intake::{Answer, DATADOG, Options, OtlpIntake, Signal};
use simulator::{Fate, Ids, Lives, Player};

use crate::world::{Totals, World, sums, until_totals};

/// Fewer where the test runs among all others.
const JOBS: usize = if cfg!(debug_assertions) { 200 } else { 2_000 };
const SEED: u64 = 20_261_124;
/// How many Jobs have an owner of their own; the others are runs of a CronJob.
const ALONE: usize = 20;

/// What the metrics must come to.
fn expected(fates: &[(String, Fate)]) -> Totals {
    let mut totals = Totals::new();
    for (owner, fate) in fates {
        let mut add =
            |metric: &str, rest: &str, value| *totals.entry(format!("{metric} {owner} {rest}")).or_default() += value;
        let mut failed = |reason: &str, cause: &str| add("k8s.job.failures", &format!("{reason} {cause}"), 1);
        let failed_attempts = match fate {
            Fate::Fails => {
                failed("BackoffLimitExceeded", "NonZeroExit");
                1
            }
            Fate::FailsAfterRetries => {
                failed("BackoffLimitExceeded", "NonZeroExit");
                3
            }
            Fate::MissesDeadline => {
                failed("DeadlineExceeded", "RanTooLong");
                0
            }
            Fate::Succeeds => {
                add("k8s.job.completions", " ", 1);
                0
            }
            Fate::SucceedsAfterRetry => {
                add("k8s.job.completions", " ", 1);
                1
            }
            Fate::Deleted => 0,
        };
        if failed_attempts > 0 {
            add("k8s.job.attempt.failures", " NonZeroExit", failed_attempts);
        }
    }
    totals
}

/// The Jobs, all ended by now, and what became of each by owner.
fn play(world: &World) -> Vec<(String, Fate)> {
    println!("seed {SEED}, {JOBS} Jobs");
    let start = Timestamp::now() - jiff::SignedDuration::from_mins(2);
    let mut lives = Lives::new("work", 20, start, Ids::new(SEED));
    Player::new(world.simulator.store().clone(), vec![lives.cron_job()]).play_all();
    let mut fates = Vec::new();
    for number in 0..JOBS {
        let fate = Fate::ALL[number % Fate::ALL.len()];
        let name = format!("j-{number}");
        let (owner, life) = match number < ALONE {
            true => (name.clone(), lives.job(&name, fate, None, start)),
            false => ("recurring".to_owned(), lives.run(&name, fate, None, start)),
        };
        world.play(life.steps);
        fates.push((owner, fate));
    }
    fates
}

async fn start(profile: simulator::otlp_intake::Profile) -> OtlpIntake {
    OtlpIntake::start_with(Options::of(profile, "key")).await.unwrap()
}

#[tokio::test]
async fn all_exporters_end_with_the_same_totals_though_one_is_slow_and_one_is_down() {
    let mut world = World::new("together").await;
    let [proto, slow, down] = [start(DATADOG).await, start(DATADOG).await, start(DATADOG).await];
    slow.answer_all(Signal::Metrics, Some(Answer::Delay(Duration::from_millis(300))));
    down.refuse_connections(true).await;
    let otlp = |name: &str, intake: &OtlpIntake, more: &str| {
        format!(
            "  otlp_http/{name}: {{endpoint: \"{}\", headers: {{dd-api-key: key}}, {more}\n    retry_on_failure: {{initial_interval: 100ms, \
             max_interval: 200ms, max_elapsed_time: 0s}}}}\n",
            intake.url()
        )
    };
    let config = format!(
        "receivers:\n  k8s_job:\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics: {{interval: 1s}}\nexporters:\n\
         {}{}{}service:\n  pipelines:\n    logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [job_metrics]}}\n    \
         metrics: {{receivers: [job_metrics], exporters: [otlp_http/proto, otlp_http/slow, otlp_http/down]}}\n",
        otlp("proto", &proto, ""),
        otlp("slow", &slow, "compression: zstd,"),
        otlp("down", &down, "compression: none,"),
    );
    world.collect(&config, &[], &[]).await;
    let expected = expected(&play(&world));
    for (name, intake) in [("the plain one", &proto), ("the slow one", &slow)] {
        until_totals(name, intake, &expected).await;
    }
    assert!(down.received().is_empty(), "nobody waited for the one that is down");
    down.refuse_connections(false).await;
    until_totals("the one that was down", &down, &expected).await;
    let log = world.stop().await;
    for intake in [&proto, &slow, &down] {
        assert_eq!(sums(intake), expected, "no more after the end\n{log}");
        assert_eq!(
            (intake.rejected(), intake.lost(), intake.violations()),
            (0, vec![], vec![])
        );
    }
}
