//! Components that fail, panic or end before the shutdown.

use collector_data::Outcome;
use collector_runtime::health::{Status, none_dead};

use crate::running::{PLAIN, Run, on_one_thread, settle, text};
use crate::scripted::{Command, feed, journal, one_log};

/// An exporter fails on the first batch: the run ends with its error, the rest is drained.
fn exporter_dies(exporter: &str, expected: &str) {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of(&format!(
            "receivers: feed\nexporters: good, {exporter}\nlogs: feed || good, {exporter}"
        ));
        let (first, first_delivery) = one_log();
        let (second, second_delivery) = one_log();
        commands.send(Command::Send(first)).ok().unwrap();
        commands.send(Command::Send(second)).ok().unwrap();
        let health = run.health.clone();
        let error = run.task.await.unwrap().unwrap_err();
        let why = error.failures[0].why.to_string();
        assert_eq!(error.to_string(), format!("exporters::{exporter}: {expected}"));
        assert_eq!(
            health.watch().borrow()[&format!("exporters::{exporter}")],
            Status::PermanentError(why)
        );
        assert_eq!(health.watch().borrow()["exporters::good"], Status::Stopped);
        assert!(!none_dead(&health.watch().borrow()));
        assert!(matches!(first_delivery.await, Outcome::Dropped(_)));
        assert!(matches!(second_delivery.await, Outcome::Dropped(_)));
        assert!(journal().contains(&"good logs".to_owned()));
    });
}

#[test]
fn an_exporter_that_fails_ends_the_run() {
    exporter_dies("fails", "failed: the disk is full");
}

#[test]
fn an_exporter_that_panics_ends_the_run() {
    exporter_dies("panics", "panicked: boom");
}

#[test]
fn an_exporter_that_just_ends_ends_the_run() {
    exporter_dies("ends", "ended before shutdown");
}

#[test]
fn a_processor_that_panics_is_named() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of("receivers: feed\nprocessors: tag, bomb\nexporters: good\nlogs: feed | tag, bomb | good");
        let (batch, delivery) = one_log();
        commands.send(Command::Send(batch)).ok().unwrap();
        let health = run.health.clone();
        let error = run.task.await.unwrap();
        assert_eq!(
            text(error),
            "service::pipelines::logs: failed: processors::bomb panicked: boom"
        );
        assert!(matches!(delivery.await, Outcome::Dropped(_)));
        assert_eq!(
            health.watch().borrow()["processors::bomb"],
            Status::PermanentError("failed: processors::bomb panicked: boom".into())
        );
    });
}

#[test]
fn a_receiver_that_dies_ends_the_run_but_loses_nothing() {
    on_one_thread(async {
        for (end, expected) in [
            (Command::Fail("401"), "receivers::feed: failed: 401"),
            (
                Command::Panic("index out of bounds"),
                "receivers::feed: panicked: index out of bounds",
            ),
            (Command::End, "receivers::feed: ended before shutdown"),
        ] {
            let commands = feed("feed");
            let run = Run::of(PLAIN);
            let (batch, delivery) = one_log();
            commands.send(Command::Send(batch)).ok().unwrap();
            commands.send(end).ok().unwrap();
            assert_eq!(text(run.task.await.unwrap()), expected);
            assert_eq!(delivery.await, Outcome::Delivered);
        }
    });
}

#[test]
fn every_failure_is_reported() {
    on_one_thread(async {
        let commands = feed("feed");
        let run = Run::of("receivers: feed\nexporters: stalls, fails\nlogs: feed || stalls, fails");
        commands.send(Command::Send(one_log().0)).ok().unwrap();
        settle().await;
        assert!(matches!(run.status("exporters::fails"), Status::PermanentError(_)));
        assert_eq!(
            text(run.task.await.unwrap()),
            "exporters::fails: failed: the disk is full\n\
             exporters::stalls: did not stop within 30s and was aborted; undelivered data is lost"
        );
    });
}
