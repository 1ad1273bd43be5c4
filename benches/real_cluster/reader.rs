//! The clients that are compared: the collector and kube-state-metrics.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::control_plane::collector::{Collector, Settings};
use crate::control_plane::process::{Process, free_ports};
use crate::stats::ProcessStats;

/// A client that reads Jobs and Pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Collector,
    KubeStateMetrics,
}

impl Kind {
    /// Those that can be started.
    pub(crate) fn all(bench: &Bench) -> Vec<Kind> {
        let mut all = vec![Kind::Collector];
        all.extend(bench.kube_state_metrics.is_some().then_some(Kind::KubeStateMetrics));
        all
    }

    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Collector => "kube-job-collector",
            Kind::KubeStateMetrics => "kube-state-metrics, Jobs and Pods",
        }
    }
}

enum Running {
    Collector(Box<Collector>),
    Other(Process),
}

/// A running client that has read everything.
pub(crate) struct Reader {
    running: Running,
    /// From the start of the process until everything was read.
    pub(crate) read: Duration,
    /// Its processor time until then.
    pub(crate) read_cpu: Duration,
}

impl Reader {
    /// Starts a client and waits until it has read everything.
    pub(crate) async fn start(bench: &Bench, kind: Kind) -> Reader {
        let began = Instant::now();
        let running = match kind {
            Kind::Collector => {
                let settings = Settings {
                    log: "info",
                    settle: "1s",
                    ..Settings::default()
                };
                let kubeconfig = bench.plane.kubeconfig();
                let mut collector = Collector::new(&bench.folder, "reader", &kubeconfig, &bench.intake, &settings);
                collector.start_watching().await;
                Running::Collector(Box::new(collector))
            }
            Kind::KubeStateMetrics => Running::Other(kube_state_metrics(bench)),
        };
        let mut reader = Reader {
            running,
            read: began.elapsed(),
            read_cpu: Duration::ZERO,
        };
        if kind == Kind::KubeStateMetrics {
            // It does not report when it has read everything: then it does nothing.
            reader.read = began.elapsed() + reader.until_idle();
        }
        reader.read_cpu = reader.stats().cpu();
        reader
    }

    /// The kernel's statistics of the process.
    pub(crate) fn stats(&self) -> ProcessStats {
        ProcessStats(match &self.running {
            Running::Collector(collector) => collector.pid(),
            Running::Other(process) => process.pid(),
        })
    }

    /// Waits until the process has used a processor and then does nothing for a second. Returns how long it was busy.
    fn until_idle(&self) -> Duration {
        let began = Instant::now();
        let (stats, idle) = (self.stats(), Duration::from_secs(1));
        let (mut last, mut busy) = (stats.cpu(), Instant::now());
        while busy.elapsed() < idle || last < Duration::from_millis(300) {
            std::thread::sleep(Duration::from_millis(20));
            let now = stats.cpu();
            if now - last > Duration::from_millis(2) {
                busy = Instant::now();
            }
            last = now;
        }
        busy - began
    }
}

fn kube_state_metrics(bench: &Bench) -> Process {
    let program = bench.kube_state_metrics.as_deref().expect("KUBE_STATE_METRICS");
    let kubeconfig = bench.folder.join("kube-state-metrics.kubeconfig");
    std::fs::write(&kubeconfig, bench.plane.kubeconfig()).unwrap();
    let [port, telemetry] = free_ports();
    let arguments = [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--resources=jobs,pods".into(),
        "--host=127.0.0.1".into(),
        format!("--port={port}"),
        "--telemetry-host=127.0.0.1".into(),
        format!("--telemetry-port={telemetry}"),
    ];
    let program: &Path = &std::path::absolute(program).unwrap();
    Process::start(program, &arguments, &bench.folder.join("kube-state-metrics.log"))
}
