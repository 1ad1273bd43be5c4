//! The kernel's statistics of a process. Linux only: it reads `/proc`.

use std::time::{Duration, Instant};

/// How long a process must do nothing to be at rest.
const REST: Duration = Duration::from_millis(500);

/// A process by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessStats(pub(crate) u32);

impl ProcessStats {
    /// A line of `/proc/PID/status` in KiB: `VmRSS` is the current resident size, `VmHWM` its maximum.
    pub(crate) fn kib(self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// How long it has run on a processor, all threads together: user and system time.
    pub(crate) fn cpu(self) -> Duration {
        Duration::from_nanos(self.of_threads("schedstat", |text| {
            text.split_whitespace().next().unwrap().parse().unwrap()
        }))
    }

    /// How often its threads have gone to sleep: each time something wakes them up again.
    pub(crate) fn wakeups(self) -> u64 {
        self.of_threads("status", |text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse().unwrap()
        })
    }

    /// Waits until it has nothing left to do.
    pub(crate) fn rest(self) {
        let mut last = self.cpu();
        let mut since = Instant::now();
        while since.elapsed() < REST {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.cpu();
            // A timer now and then is rest, too.
            if now - last > Duration::from_micros(500) {
                since = Instant::now();
            }
            last = now;
        }
    }

    /// The sum of a number in a file of each thread. A thread that ends meanwhile is not counted.
    fn of_threads(self, file: &str, number: fn(&str) -> u64) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0)).unwrap();
        let texts = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join(file)).ok());
        texts.map(|text| number(&text)).sum()
    }
}
