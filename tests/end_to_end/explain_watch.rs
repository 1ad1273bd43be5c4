//! `explain --watch`: the answer is printed again when it changes.

use jiff::SignedDuration;
use simulator::Resource;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::cluster::{BINARY, Cluster};
use crate::deployment::PATIENCE;
use crate::explain::MINUTES_AGO;
use crate::explain_collector::{Collector, LONG_AGO, forget};

/// A command that keeps running.
struct Watching {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    text: String,
}

impl Watching {
    fn start(cluster: &Cluster, args: &str) -> Watching {
        let mut process = cluster.command(BINARY, args).spawn().expect("it starts");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Watching {
            process,
            lines,
            text: String::new(),
        }
    }

    /// Reads until a line contains this text.
    async fn until(&mut self, part: &str) {
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no {part:?} in:\n{}", self.text));
            let line = line
                .expect("UTF-8")
                .unwrap_or_else(|| panic!("no {part:?} in:\n{}", self.text));
            self.text.push_str(&format!("{line}\n"));
            if line.contains(part) {
                return;
            }
        }
    }

    /// Waits for its end; returns the exit code.
    async fn end(mut self) -> (Option<i32>, String) {
        while let Some(line) = timeout(PATIENCE, self.lines.next_line())
            .await
            .expect("it ends")
            .expect("UTF-8")
        {
            self.text.push_str(&format!("{line}\n"));
        }
        let status = timeout(PATIENCE, self.process.wait()).await.expect("it ends");
        (status.expect("a status").code(), self.text)
    }

    async fn interrupt(&self) {
        let pid = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", "INT", &pid]).status().await;
        assert!(sent.expect("kill").success());
    }
}

#[tokio::test]
async fn watches_a_job_until_it_has_ended() {
    let cluster = Cluster::start("watch-job").await;
    let mut player = cluster.scenario("image-pull", SignedDuration::from_secs(15));
    let is_blocked = |cluster: &Cluster| {
        let pods = cluster.simulator.store().list(Resource::Pods);
        pods.iter()
            .any(|pod| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff")
    };
    while !is_blocked(&cluster) {
        assert!(player.step(), "the image is never backed off");
    }
    let mut watching = Watching::start(&cluster, "explain monthly-report -n shop --watch");
    watching.until("shop/monthly-report  Running").await;
    watching.until("note:     1 Pod active").await;
    player.play_all();
    watching.until("shop/monthly-report  Failed").await;
    let (code, text) = watching.end().await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("cause:    ImagePull"), "{text}");
    assert_eq!(text.matches("  Failed  ").count(), 1, "{text}");
}

#[tokio::test]
async fn a_job_that_has_ended_is_not_watched() {
    let cluster = Cluster::start("watch-ended").await;
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    let ran = cluster.run("explain job invoice-export -n billing -w").await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let ran = cluster.run("explain no-such-job -w --no-collector").await;
    assert_eq!(ran.code, Some(2), "{}", ran.out);
}

#[tokio::test]
async fn a_watched_job_that_is_deleted_is_explained_by_the_collector() {
    let cluster = Cluster::start("watch-deleted").await;
    let collector = Collector::start(&cluster).await;
    let mut events = collector.stream().await;
    let mut player = cluster.scenario("retries-exhausted", LONG_AGO);
    while cluster.simulator.store().count(Resource::Pods) < 1 {
        assert!(player.step(), "a Pod of the Job");
    }
    let mut watching = Watching::start(&cluster, "explain invoice-export -n billing -w -o json");
    watching.until("\"outcome\":\"Running\"").await;
    // It ends between two reads of the command or within one; the last answer is the same.
    player.play_all();
    events.until("\"invoice-export\"").await;
    forget(&cluster);
    watching.until("\"outcome\":\"Failed\"").await;
    let (code, text) = watching.end().await;
    assert_eq!(code, Some(1), "{text}");
}

#[tokio::test]
async fn new_failed_jobs_are_printed_until_an_interrupt() {
    let cluster = Cluster::start("watch-all-failed").await;
    cluster.scenario("deadline-exceeded", MINUTES_AGO).play_all();
    let mut watching = Watching::start(&cluster, "explain --all-failed -A --watch --no-collector");
    watching.until("default/deadline-exceeded-test-job  Failed").await;
    cluster.scenario("success-after-retry", MINUTES_AGO).play_all();
    cluster.scenario("retries-exhausted", MINUTES_AGO).play_all();
    watching.until("billing/invoice-export  Failed").await;
    watching.interrupt().await;
    let (code, text) = watching.end().await;
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(text.matches("deadline-exceeded-test-job  Failed").count(), 1, "{text}");
    assert_eq!(text.matches("  Failed  ").count(), 2, "{text}");
}
