//! A running graph becomes another one.

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use collector_data::Outcome;
use collector_runtime::graph::Graph;
use collector_runtime::health::{Health, Status};
use collector_runtime::outlet::INBOX_CAPACITY;
use collector_runtime::runtime::{Reload, ReloadError, ReloadReport, RunError};

use crate::replaceable::{arrived, factories, numbered, source};
use crate::running::{GRACE, on_one_thread, settle};
use crate::scripted::{Command, config, feed, journal, one_log};

/// The result of a reload, later.
pub(crate) type Done = oneshot::Receiver<Result<ReloadReport, ReloadError>>;

/// A graph that runs in the background and can be reloaded.
pub(crate) struct Reloadable {
    pub(crate) shutdown: CancellationToken,
    pub(crate) health: Health,
    pub(crate) task: JoinHandle<Result<(), RunError>>,
    reloads: mpsc::Sender<Reload>,
}

impl Reloadable {
    pub(crate) async fn of(text: &str) -> Self {
        let health = Health::new();
        let shutdown = CancellationToken::new();
        let (reloads, receiver) = mpsc::channel(8);
        let task = tokio::spawn(graph(text, &health).run_with_reloads(shutdown.clone(), GRACE, receiver));
        settle().await;
        journal();
        Reloadable {
            shutdown,
            health,
            task,
            reloads,
        }
    }

    pub(crate) fn begin(&self, text: &str) -> Done {
        let (done, result) = oneshot::channel();
        let graph = graph(text, &self.health);
        journal();
        let reload = Reload { graph, done };
        self.reloads
            .try_send(reload)
            .unwrap_or_else(|_| panic!("the queue of reloads is full"));
        result
    }

    pub(crate) async fn reload(&self, text: &str) -> Result<ReloadReport, ReloadError> {
        self.begin(text).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn graph(text: &str, health: &Health) -> Graph {
    let meter = opentelemetry::global::meter("test");
    let graph = Graph::build(&config(text), &factories(), &meter, health);
    graph.unwrap_or_else(|errors| panic!("{errors}"))
}

/// The lines of the journal that begin with `word`.
pub(crate) fn noted(word: &str) -> Vec<String> {
    journal().into_iter().filter(|line| line.starts_with(word)).collect()
}

#[test]
fn reports_what_was_added_removed_and_changed() {
    on_one_thread(async {
        let run = Reloadable::of(
            "receivers: source\nprocessors: step, step/b\nconnectors: tally\nexporters: sink/a, sink/b, sink/c\n\
             logs: source | step, step/b | sink/a, tally\nlogs/b: tally || sink/b\nlogs/c: source || sink/c",
        )
        .await;
        let report = run
            .reload(
                "receivers: source\nprocessors: step, step/b={version: 1}\nconnectors: tally\n\
                 exporters: sink/a={version: 1}, sink/b, sink/d\n\
                 logs: source | step, step/b | sink/a, tally\nlogs/b: tally || sink/b\nlogs/d: source || sink/d",
            )
            .await
            .unwrap();
        assert_eq!(report.added, ["exporters::sink/d", "service::pipelines::logs/d"]);
        assert_eq!(report.removed, ["exporters::sink/c", "service::pipelines::logs/c"]);
        let changed = ["exporters::sink/a", "processors::step/b", "service::pipelines::logs"];
        assert_eq!(report.changed, changed);
        let unchanged = [
            "connectors::tally",
            "exporters::sink/b",
            "processors::step",
            "receivers::source",
            "service::pipelines::logs/b",
        ];
        assert_eq!(report.unchanged, unchanged);
        assert_eq!(
            noted("run"),
            ["run sink/a v1", "run sink/d v0"],
            "the others were not restarted"
        );
        let statuses = run.health.watch().borrow().clone();
        assert!(statuses.get("exporters::sink/c").is_none());
        assert_eq!(statuses[&"exporters::sink/d"], Status::Ok);
        assert!(run.health.is_ready());
        run.stop().await;
    });
}

#[test]
fn equal_values_in_another_form_change_nothing() {
    on_one_thread(async {
        let run =
            Reloadable::of("receivers: source\nexporters: sink={version: 1, backend: up}\nlogs: source || sink").await;
        let text = "\nexporters: sink={\"backend\": 'up', version: 1}\nreceivers: source=~\nlogs: source || sink";
        let report = run.reload(text).await.unwrap();
        assert!(!report.is_changed(), "{report:?}");
        assert_eq!(noted("run"), [""; 0]);
        run.stop().await;
    });
}

#[test]
fn a_corrected_exporter_delivers_what_the_backend_refused() {
    on_one_thread(async {
        let batches = source("source");
        let text = |sink: &str| format!("receivers: source\nexporters: sink={sink}\nlogs: source || sink");
        let run = Reloadable::of(&text("{backend: down}")).await;
        let mut deliveries = Vec::new();
        for number in 0..500 {
            let (batch, delivery) = numbered(number);
            batches.send(batch).unwrap();
            deliveries.push(delivery);
        }
        settle().await;
        assert_eq!(arrived(), []);
        run.reload(&text("{version: 1}")).await.unwrap();
        for delivery in deliveries {
            assert_eq!(delivery.await, Outcome::Delivered);
        }
        let mut numbers: Vec<u64> = arrived().into_iter().map(|arrival| arrival.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
        run.stop().await;
    });
}

#[test]
fn a_removed_exporter_of_a_running_producer_ends_at_once() {
    on_one_thread(async {
        let run = Reloadable::of("receivers: source\nexporters: sink, sink/b\nlogs: source || sink, sink/b").await;
        let before = tokio::time::Instant::now();
        run.reload("receivers: source\nexporters: sink\nlogs: source || sink")
            .await
            .unwrap();
        assert_eq!(before.elapsed(), std::time::Duration::ZERO, "on the paused clock");
        run.stop().await;
    });
}

#[test]
fn a_full_exporter_that_is_removed_frees_its_producers() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Reloadable::of("receivers: feed\nexporters: stalls, good\nlogs: feed || stalls, good").await;
        let mut deliveries = Vec::new();
        for _ in 0..INBOX_CAPACITY + 10 {
            let (batch, delivery) = one_log();
            commands.send(Command::Send(batch)).ok().unwrap();
            deliveries.push(delivery);
        }
        settle().await;
        assert_eq!(noted("sent").len(), INBOX_CAPACITY + 1);
        run.reload("receivers: feed\nexporters: good\nlogs: feed || good")
            .await
            .unwrap();
        settle().await;
        let outcomes: Vec<_> = deliveries.into_iter().map(FutureExt::now_or_never).collect();
        let count = |of: Option<Outcome>| outcomes.iter().filter(|outcome| **outcome == of).count();
        assert_eq!(count(Some(Outcome::Delivered)), 9, "sent to the new consumers only");
        assert_eq!(count(None), INBOX_CAPACITY + 1, "the removed exporter still has them");
        run.shutdown.cancel();
        let error = run.task.await.unwrap().unwrap_err().to_string();
        assert!(error.starts_with("exporters::stalls: did not stop"), "{error}");
    });
}

#[test]
fn a_pipeline_without_changed_components_only_changes_consumers() {
    on_one_thread(async {
        let batches = source("source");
        let base = "receivers: source\nprocessors: step\nexporters: sink, sink/b\n";
        let run = Reloadable::of(&format!("{base}logs: source || sink")).await;
        for (number, pipelines, sinks) in [
            (1, "logs: source || sink, sink/b", &["sink", "sink/b"][..]),
            (2, "logs: source || sink/b", &["sink/b"]),
            (3, "logs: source | step | sink/b", &["sink/b"]),
            (4, "logs: source | step | sink, sink/b", &["sink", "sink/b"]),
            (5, "logs/x: source || sink", &["sink"]),
        ] {
            run.reload(&format!("{base}{pipelines}")).await.unwrap();
            let (batch, delivery) = numbered(number);
            batches.send(batch).unwrap();
            assert_eq!(delivery.await, Outcome::Delivered, "{pipelines}");
            let mut arrived: Vec<_> = arrived()
                .into_iter()
                .map(|arrival| (arrival.sink, arrival.number))
                .collect();
            arrived.sort();
            let expected: Vec<_> = sinks.iter().map(|sink| ((*sink).to_owned(), number)).collect();
            assert_eq!(arrived, expected, "{pipelines}");
        }
        assert!(!noted("run").contains(&"run source v0".to_owned()));
        run.stop().await;
    });
}

#[test]
fn an_unchanged_exporter_receives_another_signal() {
    on_one_thread(async {
        let (logs, metrics) = (feed("feed"), feed("metricfeed"));
        let base = "receivers: feed, metricfeed\nexporters: good\nlogs: feed || good\n";
        let run = Reloadable::of(base).await;
        run.reload(&format!("{base}metrics: metricfeed || good")).await.unwrap();
        let (batch, delivery) = one_log();
        logs.send(Command::Send(batch)).ok().unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
        let (ack, delivery) = collector_data::Ack::new();
        let batch = collector_data::Batch::new(collector_data::Payload::Metrics(Vec::new()), ack);
        metrics.send(Command::Send(batch)).ok().unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
        assert!(!noted("make").contains(&"make good".to_owned()));
        run.stop().await;
    });
}

#[test]
fn a_changed_connector_continues_from_the_state_that_was_left() {
    on_one_thread(async {
        let batches = source("source");
        let text = |version: u32| {
            format!(
                "receivers: source\nconnectors: tally={{version: {version}}}\nexporters: sink\n\
                 logs: source || tally\nlogs/b: tally || sink"
            )
        };
        let run = Reloadable::of(&text(0)).await;
        for version in 1..4 {
            let (batch, delivery) = numbered(u64::from(version));
            batches.send(batch).unwrap();
            assert_eq!(delivery.await, Outcome::Delivered);
            run.reload(&text(version)).await.unwrap();
            let expected = format!("run tally v{version} from {version}");
            assert_eq!(noted("run"), [expected]);
        }
        run.stop().await;
    });
}

#[test]
fn a_changed_extension_restarts_those_that_use_it() {
    on_one_thread(async {
        let text = |version: u32| {
            format!(
                "receivers: source\nexporters: sink={{storage: store}}, sink/b\nextensions: store={{version: {version}}}, \
                 ext\nservice: store, ext\nlogs: source || sink, sink/b"
            )
        };
        let run = Reloadable::of(&text(0)).await;
        let report = run.reload(&text(1)).await.unwrap();
        assert_eq!(report.changed, ["exporters::sink", "extensions::store"]);
        let lines = journal();
        let place = |line: &str| {
            lines
                .iter()
                .position(|l| l == line)
                .unwrap_or_else(|| panic!("{line} in {lines:?}"))
        };
        assert!(place("end sink v0") < place("end store v0"), "{lines:?}");
        assert!(place("end store v0") < place("start store v1"), "{lines:?}");
        assert!(place("start store v1") < place("run sink v0"), "{lines:?}");
        assert!(!lines.contains(&"run sink/b v0".to_owned()), "{lines:?}");
        run.stop().await;
    });
}

#[test]
fn of_several_waiting_reloads_the_last_is_applied() {
    on_one_thread(async {
        let text =
            |version: u32| format!("receivers: source\nexporters: sink={{version: {version}}}\nlogs: source || sink");
        let run = Reloadable::of(&text(0)).await;
        let [first, second, third] = [1, 2, 3].map(|version| run.begin(&text(version)));
        for superseded in [first, second] {
            assert!(matches!(superseded.await.unwrap(), Err(ReloadError::Superseded)));
        }
        assert_eq!(third.await.unwrap().unwrap().changed, ["exporters::sink"]);
        settle().await;
        assert_eq!(noted("run"), ["run sink v3"]);
        run.stop().await;
    });
}
