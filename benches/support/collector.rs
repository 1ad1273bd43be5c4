//! The collector as a separate process, and the kernel's statistics of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::stats::ProcessStats;

/// A collector that runs until it is dropped.
pub(crate) struct Collector {
    child: Child,
}

impl Collector {
    /// Starts the binary under test with this configuration; its log goes to `log`.
    pub(crate) fn start(config: &Path, log: &Path) -> Collector {
        let log = std::fs::File::create(log).unwrap();
        // Another build may be named, to measure both in the same way.
        let built = env!("CARGO_BIN_EXE_kube-job-collector");
        let binary = std::env::var_os("COLLECTOR").unwrap_or_else(|| built.into());
        let child = Command::new(binary)
            .args(["run", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Collector { child }
    }

    /// Panics if it has ended.
    pub(crate) fn assert_running(&mut self) {
        assert_eq!(
            self.child.try_wait().unwrap(),
            None,
            "the collector has ended; see its log"
        );
    }

    /// Its size in memory, as [`ProcessStats::kib`].
    pub(crate) fn kib(&self, key: &str) -> u64 {
        self.stats().kib(key)
    }

    /// How long it has run on a processor.
    pub(crate) fn cpu(&self) -> Duration {
        self.stats().cpu()
    }

    /// How often its threads have waited for something and were woken up again.
    pub(crate) fn voluntary_switches(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let switches = |task: std::fs::DirEntry| -> u64 {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap();
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse().unwrap()
        };
        tasks.map(|task| switches(task.unwrap())).sum()
    }

    /// Waits until it has nothing left to do.
    pub(crate) fn rest(&self) {
        self.stats().rest();
    }

    fn stats(&self) -> ProcessStats {
        ProcessStats(self.child.id())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
