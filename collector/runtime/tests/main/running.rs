use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use collector_runtime::graph::Graph;
use collector_runtime::health::{Health, Status, none_dead};
use collector_runtime::outlet::INBOX_CAPACITY;
use collector_runtime::runtime::{RunError, Why};

use crate::scripted::{Command, config, factories, feed, journal, one_log};
use collector_data::{Ack, Batch, Outcome, Payload};

pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// A graph that runs in the background.
pub(crate) struct Run {
    pub(crate) shutdown: CancellationToken,
    pub(crate) health: Health,
    pub(crate) task: JoinHandle<Result<(), RunError>>,
}

impl Run {
    pub(crate) fn of(text: &str) -> Run {
        let health = Health::new();
        let meter = opentelemetry::global::meter("test");
        let graph = Graph::build(&config(text), &factories(), &meter, &health);
        let graph = graph.unwrap_or_else(|errors| panic!("{errors}"));
        let shutdown = CancellationToken::new();
        journal();
        let task = tokio::spawn(graph.run(shutdown.clone(), GRACE));
        Run { shutdown, health, task }
    }

    pub(crate) async fn stop(self) -> Result<(), RunError> {
        self.shutdown.cancel();
        self.task.await.unwrap()
    }

    pub(crate) fn status(&self, component: &str) -> Status {
        self.health.watch().borrow()[component].clone()
    }
}

/// Lets all tasks run until they wait.
pub(crate) async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// Runs a test on one thread, with a clock that is paused while there is work.
pub(crate) fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}

pub(crate) fn text(result: Result<(), RunError>) -> String {
    result.unwrap_err().to_string()
}

pub(crate) const PLAIN: &str = "
receivers: feed
exporters: good
logs: feed || good
";

#[test]
fn starts_against_the_flow_and_stops_with_it() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of(
            "receivers: feed\nprocessors: tag\nconnectors: forward, count\nexporters: good, good/m\nextensions: ext\n\
             service: ext\nlogs: feed || forward\nlogs/b: forward | tag | good, count\nmetrics: count || good/m",
        );
        settle().await;
        let mut lines = journal();
        lines.retain(|line| !line.starts_with("make"));
        assert_eq!(
            lines,
            [
                "start ext",
                "start good/m",
                "start good",
                "start count",
                "start forward",
                "start feed",
                "run ext"
            ]
        );
        let (batch, delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
        let mut lines = journal();
        lines.retain(|line| line != "sent");
        lines.sort();
        assert_eq!(
            lines,
            ["count logs", "forward logs", "good logs", "good/m metrics", "tag logs"]
        );
        assert!(run.health.is_ready());

        let health = run.health.clone();
        run.stop().await.unwrap();
        let lines = journal();
        let place = |line: &str| {
            lines
                .iter()
                .position(|l| l == line)
                .unwrap_or_else(|| panic!("{line} in {lines:?}"))
        };
        assert!(place("drop feed") < place("drop forward"));
        assert!(place("drop forward") < place("drop tag"));
        assert!(place("drop tag") < place("drop count"));
        assert!(place("drop tag") < place("drop good"));
        assert!(place("drop count") < place("drop good/m"));
        assert_eq!(lines.last().unwrap(), "drop ext");
        assert!(
            health
                .watch()
                .borrow()
                .values()
                .all(|status| *status == Status::Stopped)
        );
    });
}

#[test]
fn receivers_report_themselves_the_others_are_reported() {
    on_one_thread(async {
        let health = Health::new();
        let meter = opentelemetry::global::meter("test");
        let graph = Graph::build(&config(PLAIN), &factories(), &meter, &health)
            .ok()
            .unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(graph.run(shutdown.clone(), GRACE));
        settle().await;
        assert!(health.is_ready());
        shutdown.cancel();
        task.await.unwrap().unwrap();
    });
}

#[test]
fn a_failing_start_names_the_component_and_drops_what_was_started() {
    on_one_thread(async {
        let run = Run::of(
            "receivers: feed\nexporters: good, badstart\nextensions: ext\nservice: ext\nlogs: feed || badstart, good",
        );
        let health = run.health.clone();
        let error = run.task.await.unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "exporters::badstart: could not start: the port is taken"
        );
        let lines = journal();
        assert!(!lines.contains(&"start feed".to_owned()), "{lines:?}");
        for line in ["drop ext", "drop good", "drop feed", "drop badstart"] {
            assert!(lines.contains(&line.to_owned()), "{line} in {lines:?}");
        }
        assert!(!health.is_ready());
    });
}

#[test]
fn a_panic_while_starting_is_a_failing_start() {
    on_one_thread(async {
        let run = Run::of("receivers: feed\nexporters: panicstart\nlogs: feed || panicstart");
        assert_eq!(
            text(run.task.await.unwrap()),
            "exporters::panicstart: could not start: panicked: no port"
        );
    });
}

#[test]
fn a_shutdown_while_starting_is_a_clean_end() {
    on_one_thread(async {
        let run =
            Run::of("receivers: slowstart\nexporters: good\nextensions: ext\nservice: ext\nlogs: slowstart || good");
        settle().await;
        assert!(!run.task.is_finished());
        run.stop().await.unwrap();
        assert_eq!(journal().last().unwrap(), "drop ext");
    });
}

#[test]
fn every_destination_must_deliver() {
    on_one_thread(async {
        for (exporters, outcome) in [
            ("good, good/b", Outcome::Delivered),
            ("good, rejects", Outcome::Rejected("400".into())),
            ("rejects, good", Outcome::Rejected("400".into())),
        ] {
            let commands = feed("feed");
            let run = Run::of(&format!(
                "receivers: feed\nexporters: {exporters}\nlogs: feed || {exporters}"
            ));
            let (batch, delivery) = one_log();
            commands.send(Command::Send(batch)).ok().unwrap();
            assert_eq!(delivery.await, outcome, "{exporters}");
            run.stop().await.unwrap();
        }

        let commands = feed("feed");
        let run = Run::of("receivers: feed\nexporters: good, patient\nlogs: feed || good, patient");
        let (batch, mut delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        settle().await;
        assert!(journal().contains(&"good logs".to_owned()));
        assert!(
            (&mut delivery).now_or_never().is_none(),
            "one destination is not enough"
        );
        run.stop().await.unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
    });
}

#[test]
fn a_processor_may_keep_a_batch() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of(
            "receivers: feed\nprocessors: sieve, tag\nexporters: good\nlogs: feed | tag, sieve, tag/b | good\nprocessors: tag/b",
        );
        let (batch, delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
        settle().await;
        let mut lines = journal();
        lines.retain(|line| line.ends_with(" logs"));
        assert_eq!(lines, ["tag logs", "sieve logs"]);
        run.stop().await.unwrap();
    });
}

#[test]
fn a_stalled_exporter_holds_the_receiver_back() {
    on_one_thread(async {
        for (text, admitted) in [
            // The one the exporter took, and its inbox.
            (
                "receivers: feed\nexporters: stalls\nlogs: feed || stalls",
                1 + INBOX_CAPACITY,
            ),
            // And the one the processors hold, and their inbox.
            (
                "receivers: feed\nprocessors: tag\nexporters: stalls\nlogs: feed | tag | stalls",
                2 * (1 + INBOX_CAPACITY),
            ),
        ] {
            let commands = feed("feed");
            let run = Run::of(text);
            for _ in 0..1000 {
                commands.send(Command::Send(one_log().0)).ok().unwrap();
            }
            settle().await;
            assert_eq!(journal().iter().filter(|line| *line == "sent").count(), admitted);
            drop(run.stop().await.unwrap_err());
        }
    });
}

#[test]
fn what_is_under_way_is_drained_before_the_end() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of("receivers: feed\nprocessors: tag\nexporters: patient\nlogs: feed | tag | patient");
        let deliveries: Vec<_> = (0..5)
            .map(|_| {
                let (batch, delivery) = one_log();
                commands.send(Command::Send(batch)).ok().unwrap();
                delivery
            })
            .collect();
        settle().await;
        let before = Instant::now();
        run.stop().await.unwrap();
        assert_eq!(
            before.elapsed(),
            Duration::from_secs(25),
            "five seconds each, and not a moment longer"
        );
        for delivery in deliveries {
            assert_eq!(delivery.await, Outcome::Delivered);
        }
    });
}

#[test]
fn what_does_not_stop_in_time_is_aborted_and_named() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of(
            "receivers: feed\nexporters: good, stalls\nextensions: ext\nservice: ext\nlogs: feed || stalls, good",
        );
        let (batch, delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        settle().await;
        let before = Instant::now();
        let health = run.health.clone();
        let error = run.stop().await.unwrap_err();
        assert!(before.elapsed() <= GRACE, "{:?}", before.elapsed());
        assert_eq!(
            error.to_string(),
            "exporters::stalls: did not stop within 30s and was aborted; undelivered data is lost"
        );
        assert!(matches!(error.failures[0].why, Why::Overran(GRACE)));
        assert!(matches!(delivery.now_or_never(), Some(Outcome::Dropped(_))));
        assert_eq!(journal().last().unwrap(), "drop ext", "extensions still stop in order");
        assert_eq!(health.watch().borrow()["exporters::good"], Status::Stopped);
        assert!(!none_dead(&health.watch().borrow()));
    });
}

#[test]
fn a_receiver_in_two_pipelines_feeds_both() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of("receivers: feed\nexporters: good, good/b\nlogs: feed || good\nlogs/b: feed || good/b");
        let (batch, delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
        let lines = journal();
        assert!(
            lines.contains(&"good logs".to_owned()) && lines.contains(&"good/b logs".to_owned()),
            "{lines:?}"
        );
        run.stop().await.unwrap();
    });
}

#[test]
fn a_full_inbox_of_one_signal_lets_the_others_pass() {
    on_one_thread(async {
        let (logs, metrics) = (feed("feed"), feed("metricfeed"));
        let run = Run::of(
            "receivers: feed, metricfeed\nexporters: stalls\nlogs: feed || stalls\nmetrics: metricfeed || stalls",
        );
        for _ in 0..1000 {
            logs.send(Command::Send(one_log().0)).ok().unwrap();
        }
        settle().await;
        journal();
        let (ack, _delivery) = Ack::new();
        let batch = Batch::new(Payload::Metrics(Vec::new()), ack);
        metrics.send(Command::Send(batch)).ok().unwrap();
        settle().await;
        assert_eq!(journal(), ["sent"]);
        drop(run.stop().await.unwrap_err());
    });
}
