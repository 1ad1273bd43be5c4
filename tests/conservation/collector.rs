//! The real binary as a child process: started, stopped, killed, measured.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Marks the start of a process in the log, before its number.
const STARTED: &str = "--- started process";
/// How many lines of its log are kept.
const LINES: usize = 4000;

/// One replica of the collector, running or not.
pub(crate) struct Collector {
    config: PathBuf,
    child: Option<Child>,
    reader: Option<JoinHandle<()>>,
    log: Arc<Mutex<Log>>,
    peak: u64,
}

#[derive(Debug, Default)]
struct Log {
    /// The last lines.
    lines: VecDeque<String>,
    /// True once the process has read its configuration.
    has_started: bool,
    reloads: Reloads,
}

/// The reloads in the log of a collector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reloads {
    /// How many were applied.
    pub applied: usize,
    /// How many were refused because the configuration was invalid.
    pub refused: usize,
    /// The lines of those that failed for another reason.
    pub failed: Vec<String>,
}

impl Reloads {
    /// Adds those of another collector.
    pub(crate) fn add(&mut self, other: Reloads) {
        self.applied += other.applied;
        self.refused += other.refused;
        self.failed.extend(other.failed);
    }

    fn read(&mut self, line: &str) {
        if line.contains("configuration reloaded") {
            self.applied += 1;
        } else if line.contains("reload failed") {
            // A collector that stops meanwhile says so. The line about an invalid configuration has the number of its errors.
            if line.contains("warnings=") {
                self.refused += 1;
            } else if !line.contains("the collector stop") {
                self.failed.push(line.to_owned());
            }
        }
    }
}

impl Collector {
    /// A collector that is not started yet. `config` is its configuration file.
    pub(crate) fn new(config: PathBuf) -> Collector {
        Collector {
            config,
            child: None,
            reader: None,
            log: Arc::default(),
            peak: 0,
        }
    }

    /// Starts the process. If it was asked to stop and has not, it is killed first, as at the end of a grace period.
    pub(crate) async fn start(&mut self) {
        self.end_within(Duration::from_secs(2)).await;
        // A write beyond the limit of a file's size is to fail and not to kill, as on a full disk; `sh` has a child
        // ignore the signal, and SIGHUP until the collector handles it.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "trap '' XFSZ HUP; exec \"$0\" run --config \"$1\""])
            .arg(env!("CARGO_BIN_EXE_kube-job-collector"))
            .arg(&self.config)
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the collector starts");
        self.log.lock().unwrap_or_else(PoisonError::into_inner).has_started = false;
        let stderr = child.stderr.take().expect("a pipe");
        self.note(format!("{STARTED} {}", child.id().unwrap_or_default()));
        let log = self.log.clone();
        self.reader = Some(tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                push(&log, line);
            }
        }));
        self.child = Some(child);
    }

    /// Kills it like a power cut.
    pub(crate) async fn kill(&mut self) {
        self.measure();
        if let Some(mut child) = self.child.take() {
            // Fails if it ended by itself.
            let _ = child.start_kill();
            let status = child.wait().await;
            self.note(format!("--- killed: {status:?}"));
        }
        self.read_all().await;
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_stop(&mut self) {
        self.measure();
        if let Some(process) = self.process() {
            self.note("--- SIGTERM".into());
            signal(process, Signal::TERM);
        }
    }

    /// Sends SIGHUP if the process runs.
    pub(crate) fn hang_up(&mut self) {
        if let Some(process) = self.process() {
            self.note("--- SIGHUP".into());
            signal(process, Signal::HUP);
        }
    }

    /// True if it runs and has read its configuration.
    pub(crate) fn has_started(&self) -> bool {
        self.child.is_some() && self.log.lock().unwrap_or_else(PoisonError::into_inner).has_started
    }

    /// Its reloads so far, over all its processes.
    pub(crate) fn reloads(&self) -> Reloads {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.reloads.clone()
    }

    /// Waits at most this long until it has ended, else kills it. Returns how it ended, if it was not killed.
    pub(crate) async fn end_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        match tokio::time::timeout(time, child.wait()).await {
            Ok(status) => {
                self.child = None;
                self.read_all().await;
                status.ok()
            }
            Err(_) => {
                self.kill().await;
                None
            }
        }
    }

    /// True if it ended without a signal from the test.
    pub(crate) fn is_dead(&mut self) -> bool {
        match &mut self.child {
            Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            None => false,
        }
    }

    /// From now on files cannot grow, or can.
    #[cfg(target_os = "linux")]
    pub(crate) fn fill_disk(&self, full: bool) {
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

        if let Some(process) = self.process().filter(|_| !full || self.has_opened_file()) {
            let limit = Rlimit {
                current: full.then_some(1),
                maximum: getrlimit(Resource::Fsize).maximum,
            };
            // Fails if the process has just ended by itself.
            let _ = prlimit(Some(process), Resource::Fsize, limit);
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn fill_disk(&self, _full: bool) {}

    /// The maximum of its resident memory, over all its processes, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.peak
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Reads its maximum of memory, which the kernel forgets with the process.
    pub(crate) fn measure(&mut self) {
        let pid = self.child.as_ref().and_then(Child::id);
        self.peak = self.peak.max(pid.and_then(peak_of).unwrap_or_default());
    }

    /// True once its process has opened its file: then it writes within it or waits, as with a disk that is full. At the limit it could
    /// not even open it.
    #[cfg(target_os = "linux")]
    fn has_opened_file(&self) -> bool {
        let log = self.log();
        log.rsplit_once(STARTED)
            .is_none_or(|(_, since)| since.contains("file storage is open"))
    }

    /// Its process, if it was started and not seen to end.
    fn process(&self) -> Option<Pid> {
        let pid = self.child.as_ref().and_then(Child::id)?;
        Pid::from_raw(i32::try_from(pid).ok()?)
    }

    async fn read_all(&mut self) {
        if let Some(reader) = self.reader.take() {
            // Ends with the pipe.
            let _ = reader.await;
        }
    }

    fn note(&self, line: String) {
        push(&self.log, line);
    }
}

fn push(log: &Mutex<Log>, line: String) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.has_started |= line.contains(" starting version=");
    log.reloads.read(&line);
    if log.lines.len() == LINES {
        log.lines.pop_front();
    }
    log.lines.push_back(line);
}

fn peak_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024)
}

/// Without a program such as `kill`, which would take its share of a busy machine.
fn signal(process: Pid, signal: Signal) {
    // Fails if the process has just ended by itself.
    let _ = kill_process(process, signal);
}
