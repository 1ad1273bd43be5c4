//! Reloads that fail, and shutdowns and failures during a reload.

use std::time::Duration;

use collector_data::Outcome;
use collector_runtime::runtime::ReloadError;
use tokio::time::Instant;

use crate::reload::{Reloadable, noted};
use crate::replaceable::{arrived, numbered, source};
use crate::running::{GRACE, on_one_thread, settle};
use crate::scripted::{Command, feed, journal, one_log};

#[test]
fn a_failing_start_leaves_the_old_components_running() {
    on_one_thread(async {
        let batches = source("source");
        let old = "receivers: source\nprocessors: step\nconnectors: tally\nexporters: sink={backend: down}\n\
                   extensions: ext\nservice: ext\nlogs: source | step | tally\nlogs/b: tally || sink";
        let run = Reloadable::of(old).await;
        let (first, first_delivery) = numbered(1);
        batches.send(first).unwrap();
        settle().await;
        let new = "receivers: source={version: 1}\nprocessors: step\nconnectors: tally={version: 1}\n\
                   exporters: sink={version: 1}, badstart\nextensions: ext, ext/b\nservice: ext/b\n\
                   logs: source | step | tally\nlogs/b: tally || sink, badstart";
        let error = run.reload(new).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "exporters::badstart: could not start: the port is taken"
        );
        settle().await;
        let lines = journal();
        for line in [
            "run sink v0",
            "run tally v0 from 1",
            "run source v0",
            "run ext",
            "drop ext/b",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line} in {lines:?}");
        }
        assert!(run.health.is_ready());
        assert!(run.health.watch().borrow().get("exporters::badstart").is_none());
        // Nothing of the first attempt is lost, and the next one succeeds.
        let up = old.replace("{backend: down}", "{version: 2}");
        run.reload(&up).await.unwrap();
        let (second, second_delivery) = numbered(2);
        batches.send(second).unwrap();
        assert_eq!(first_delivery.await, Outcome::Delivered);
        assert_eq!(second_delivery.await, Outcome::Delivered);
        let mut numbers: Vec<_> = arrived().into_iter().map(|arrival| arrival.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2]);
        run.stop().await;
    });
}

#[test]
fn old_components_that_do_not_start_again_end_the_run() {
    on_one_thread(async {
        let run = Reloadable::of("receivers: feed\nexporters: startonce\nlogs: feed || startonce").await;
        let error = run
            .reload("receivers: feed\nexporters: badstart\nlogs: feed || badstart")
            .await
            .unwrap_err();
        assert!(matches!(error, ReloadError::Ended));
        assert_eq!(
            run.task.await.unwrap().unwrap_err().to_string(),
            "exporters::badstart: could not start: the port is taken\n\
             exporters::startonce: could not start: it can start only once"
        );
    });
}

#[test]
fn a_component_that_fails_during_a_reload_ends_the_run() {
    on_one_thread(async {
        let commands = feed("feed");
        let old = "receivers: feed\nexporters: fails, patient\nlogs: feed || fails\nlogs/b: feed || patient";
        let run = Reloadable::of(old).await;
        // `patient` takes five seconds to end, `fails` fails within them.
        let (batch, _delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        let done = run.begin(
            "receivers: feed\nexporters: fails, patient={version: 1}\nlogs: feed || fails\nlogs/b: feed || patient",
        );
        assert!(matches!(done.await, Ok(Err(ReloadError::Ended)) | Err(_)));
        let error = run.task.await.unwrap().unwrap_err();
        assert_eq!(
            error.failures[0].to_string(),
            "exporters::fails: failed: the disk is full"
        );
    });
}

#[test]
fn a_shutdown_during_a_reload_drains_everything() {
    on_one_thread(async {
        let batches = source("source");
        let text = |version: u32| {
            format!("receivers: source\nexporters: sink, patient={{version: {version}}}\nlogs: source || sink, patient")
        };
        let run = Reloadable::of(&text(0)).await;
        let (batch, delivery) = numbered(1);
        batches.send(batch).unwrap();
        settle().await;
        let done = run.begin(&text(1));
        settle().await;
        let (waiting, waiting_delivery) = numbered(2);
        batches.send(waiting).unwrap();
        settle().await;
        let before = Instant::now();
        run.shutdown.cancel();
        run.task.await.unwrap().unwrap();
        assert!(before.elapsed() <= GRACE, "{:?}", before.elapsed());
        assert!(done.await.unwrap().is_ok());
        assert_eq!(delivery.await, Outcome::Delivered);
        assert_eq!(waiting_delivery.await, Outcome::Delivered);
    });
}

#[test]
fn a_replaced_component_that_does_not_end_is_aborted() {
    on_one_thread(async {
        let commands = feed("feed");
        let text =
            |version: u32| format!("receivers: feed\nexporters: stalls={{version: {version}}}\nlogs: feed || stalls");
        let run = Reloadable::of(&text(0)).await;
        let (batch, delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        settle().await;
        let before = Instant::now();
        let report = run.reload(&text(1)).await.unwrap();
        assert_eq!(
            report.aborted,
            ["exporters::stalls"],
            "the report says that data is lost"
        );
        assert!(
            before.elapsed() <= GRACE + Duration::from_secs(1),
            "{:?}",
            before.elapsed()
        );
        assert!(matches!(delivery.await, Outcome::Dropped(_)));
        assert!(noted("start").contains(&"start stalls".to_owned()));
        run.stop().await;
    });
}

#[test]
fn a_removed_component_that_comes_back_gives_up_its_batches() {
    on_one_thread(async {
        let batches = source("source");
        let with =
            |sink: &str| format!("receivers: source\nexporters: sink={sink}, sink/b\nlogs: source || sink, sink/b");
        let run = Reloadable::of(&with("{backend: down}")).await;
        let (batch, delivery) = numbered(1);
        batches.send(batch).unwrap();
        settle().await;
        run.reload("receivers: source\nexporters: sink/b\nlogs: source || sink/b")
            .await
            .unwrap();
        run.reload(&with("{version: 1}")).await.unwrap();
        assert_eq!(delivery.await, Outcome::Delivered);
        let arrived: Vec<_> = arrived()
            .into_iter()
            .map(|arrival| (arrival.sink, arrival.version))
            .collect();
        assert_eq!(arrived, [("sink/b".into(), 0), ("sink".into(), 1)]);
        run.stop().await;
    });
}
