//! A cluster, a backend, the collector between them, and the faults of each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use simulator::otlp_intake::{OtlpIntake, PointValue, Received, Signal, Temporality};
use simulator::{ApiToken, Isolation, Simulator, SimulatorOptions};

use crate::collector::{Collector, Reloads};
use crate::notices::NoticeEvent;
use crate::oracle::{Event, Fate, Oracle, Point};
use crate::script::{Action, Durability};
use crate::variant::{Fixed, Variant};

/// How many watches a collector keeps open: Jobs, Pods, CronJobs, Events of Jobs, of Pods (two), of nodes, of CronJobs.
const WATCHES: usize = 8;
/// A version that streams lists, and one that has pages only.
pub(crate) const VERSIONS: [&str; 2] = ["v1.36.2", "v1.33.4"];
/// Upper bound on a start: only a broken collector takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The layer between the collector and its files.
pub(crate) struct Environment {
    /// The cluster.
    pub simulator: Simulator,
    /// The backend.
    pub intake: Arc<OtlpIntake>,
    /// The invariants at the backend.
    pub oracle: Oracle,
    /// The replicas.
    pub collectors: Vec<Collector>,
    /// The current token of each replica.
    tokens: Vec<String>,
    /// The last valid configuration of each replica.
    variants: Vec<Variant>,
    durability: Durability,
    /// How many requests of a signal a replica sends at once.
    consumers: usize,
    /// The number of requests that the oracle has seen: accepted and rejected.
    seen: (usize, usize),
    folder: PathBuf,
}

impl Environment {
    /// Starts everything and waits until the collectors watch. `name` is unique to the run, `version` that of the API server.
    pub(crate) async fn start(name: &str, durability: Durability, version: &str) -> Environment {
        Environment::start_with(name, durability, version, 10).await
    }

    /// The same, with this many concurrent requests of a signal to the backend.
    pub(crate) async fn start_with(name: &str, durability: Durability, version: &str, consumers: usize) -> Environment {
        let replicas = durability.replicas();
        let tokens: Vec<String> = (0..replicas).map(|replica| format!("{replica}-0")).collect();
        let token = |(replica, value): (usize, &String)| ApiToken {
            user: user(replica),
            ..ApiToken::admin(value)
        };
        let options = SimulatorOptions {
            tokens: tokens.iter().enumerate().map(token).collect(),
            // Faster than real time, like all of this cluster.
            bookmark_interval: Duration::from_secs(1),
            version: version.into(),
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let intake = Arc::new(OtlpIntake::start(None).await.expect("the intake starts"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut environment = Environment {
            collectors: Vec::new(),
            simulator,
            intake,
            oracle: Oracle::default(),
            tokens,
            variants: vec![Variant::FIRST; replicas],
            durability,
            consumers,
            seen: (0, 0),
            folder,
        };
        for replica in 0..replicas {
            environment.write_kubeconfig(replica);
            environment.configure(replica, Variant::FIRST);
            let mut collector = Collector::new(environment.configuration(replica));
            collector.start().await;
            environment.collectors.push(collector);
        }
        // Lists from the cache are stale, so no client may rely on them.
        environment.simulator.lag_behind(50);
        environment.until_watching().await;
        environment
    }

    async fn until_watching(&mut self) {
        let opened = self.simulator.until_opened(WATCHES * self.collectors.len());
        if tokio::time::timeout(PATIENCE, opened).await.is_err() {
            panic!("the collectors do not watch:\n{}", self.logs());
        }
    }

    /// True if every watch of each collector is open.
    pub(crate) fn is_watched(&self) -> bool {
        self.simulator.open_watches() >= WATCHES * self.collectors.len()
    }

    fn kubeconfig(&self, replica: usize) -> PathBuf {
        self.folder.join(format!("kubeconfig-{replica}"))
    }

    fn write_kubeconfig(&self, replica: usize) {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {{server: \"{}\"}}\n\
             users:\n- name: c\n  user: {{token: \"{}\"}}\ncontexts:\n- name: c\n  context: {{cluster: c, user: c}}\n",
            self.simulator.url(),
            self.tokens[replica],
        );
        // A reader finds the old file or the new one.
        let new = self.folder.join(format!("kubeconfig-{replica}.new"));
        std::fs::write(&new, text).expect("a kubeconfig");
        std::fs::rename(&new, self.kubeconfig(replica)).expect("a kubeconfig");
    }

    /// Writes the configuration of a replica; a reader finds the old file or the new one.
    fn configure(&self, replica: usize, variant: Variant) {
        let kubeconfig = self.kubeconfig(replica);
        let text = variant.yaml(Fixed {
            durability: self.durability,
            kubeconfig: &kubeconfig,
            folder: &self.folder,
            replica,
            backend: &self.intake.url(),
            consumers: self.consumers,
        });
        let new = self.folder.join(format!("replica-{replica}.new"));
        std::fs::write(&new, text).expect("a configuration");
        std::fs::rename(&new, self.configuration(replica)).expect("a configuration");
    }

    fn configuration(&self, replica: usize) -> PathBuf {
        self.folder.join(format!("replica-{replica}.yaml"))
    }

    fn reload(&mut self, replica: usize, variant: Variant) {
        if variant.is_valid() {
            self.variants[replica] = variant;
        } else if !self.collectors[replica].has_started() {
            // A process that starts with it would end.
            return;
        }
        self.configure(replica, variant);
        self.collectors[replica].hang_up();
    }

    async fn start_again(&mut self, replica: usize) {
        // The file may be an invalid one that was refused.
        self.configure(replica, self.variants[replica]);
        self.collectors[replica].start().await;
    }

    /// Lets something happen.
    pub(crate) async fn act(&mut self, action: &Action) {
        match action {
            Action::Cut(cut, None) => {
                self.simulator.cut_watches(*cut);
            }
            Action::Cut(cut, Some(resource)) => self.simulator.cut_watches_of(*resource, *cut),
            Action::Expire => {
                self.simulator.expire_watches();
            }
            Action::Compact => self.simulator.store().compact(),
            Action::Fault(count, matching, fault) => self.simulator.answer_next(*count, *matching, *fault),
            Action::Stall(resource, true) => self.simulator.stall_watches_of(*resource),
            Action::Stall(resource, false) => self.simulator.resume_watches_of(*resource),
            Action::Repeat => {
                self.simulator.repeat_last();
            }
            Action::Token(replica) => self.renew_token(*replica),
            Action::Isolate(replica, Some(how)) => self.isolate(*replica, *how),
            Action::Isolate(replica, None) => self.simulator.rejoin(&user(*replica)),
            Action::Close(closed) => self.intake.refuse_connections(*closed).await,
            Action::Backend(signal, answer) => self.intake.answer_all(*signal, answer.clone()),
            Action::BackendOnce(signal, answer) => self.intake.fail_next(*signal, answer.clone()),
            Action::Kill(replica) => self.collectors[*replica].kill().await,
            Action::Stop(replica) => self.collectors[*replica].ask_to_stop(),
            Action::Start(replica) => self.start_again(*replica).await,
            Action::Disk(replica, full) => self.collectors[*replica].fill_disk(*full),
            Action::Reload(replica, variant) => self.reload(*replica, *variant),
        }
    }

    /// Cuts a replica off from the API.
    pub(crate) fn isolate(&self, replica: usize, how: Isolation) {
        self.simulator.isolate(&user(replica), how);
    }

    fn renew_token(&mut self, replica: usize) {
        let old = self.tokens[replica].clone();
        let number: usize = old.rsplit('-').next().and_then(|n| n.parse().ok()).expect("a number");
        self.tokens[replica] = format!("{replica}-{}", number + 1);
        // Written before the old one is rejected, as token renewal does.
        self.write_kubeconfig(replica);
        assert!(self.simulator.replace_token(&old, &self.tokens[replica]));
    }

    /// Ends every fault. Processes that are down stay down.
    pub(crate) async fn heal(&mut self) {
        self.simulator.clear_faults();
        self.simulator.resume_watches();
        for replica in 0..self.collectors.len() {
            self.simulator.rejoin(&user(replica));
            self.collectors[replica].fill_disk(false);
        }
        self.intake.clear_script();
        for signal in [Signal::Logs, Signal::Metrics] {
            self.intake.answer_all(signal, None);
        }
        self.intake.refuse_connections(false).await;
    }

    /// Gives the oracle the data that arrived since the last call.
    pub(crate) fn absorb(&mut self) {
        let taken = self.intake.received_after(self.seen.0);
        let refused = self.intake.refused_after(self.seen.1);
        self.seen = (self.seen.0 + taken.len(), self.seen.1 + refused.len());
        for received in taken {
            tell(&mut self.oracle, &received, Fate::Taken);
        }
        for received in refused {
            tell(&mut self.oracle, &received, Fate::Refused);
        }
    }

    /// Waits at most this long until the oracle confirms the condition; returns true if it did.
    pub(crate) async fn until(&mut self, patience: Duration, so: impl Fn(&Oracle) -> bool) -> bool {
        let mut arrivals = self.intake.subscribe();
        let wait = async {
            loop {
                self.absorb();
                if so(&self.oracle) {
                    return;
                }
                // After an error the missed ones are read now.
                let _ = arrivals.recv().await;
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }

    /// Stops all collectors and then the cluster, and waits until they have ended.
    pub(crate) async fn stop(&mut self, patience: Duration) -> Result<(), String> {
        for collector in &mut self.collectors {
            collector.ask_to_stop();
        }
        let mut problems = Vec::new();
        for (replica, collector) in self.collectors.iter_mut().enumerate() {
            match collector.end_within(patience).await {
                Some(status) if status.success() => {}
                Some(status) => problems.push(format!("replica {replica} ended with {status}")),
                None => problems.push(format!("replica {replica} did not stop in {patience:?}")),
            }
        }
        self.absorb();
        self.simulator.shutdown().await;
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems.join("; "))
        }
    }

    /// Waits until a replica leads and returns its number; a single replica always leads.
    pub(crate) async fn until_led(&self, patience: Duration) -> usize {
        if self.collectors.len() < 2 {
            return 0;
        }
        let mut changes = tokio::time::interval(Duration::from_millis(50));
        let begin = tokio::time::Instant::now();
        while begin.elapsed() < patience {
            let leads = |collector: &Collector| collector.log().contains("this replica leads");
            if let Some(leader) = self.collectors.iter().position(leads) {
                return leader;
            }
            changes.tick().await;
        }
        panic!("no replica leads:\n{}", self.logs());
    }

    /// The most memory a collector had, in bytes.
    pub(crate) fn peak_memory(&mut self) -> u64 {
        self.collectors.iter_mut().for_each(Collector::measure);
        self.collectors
            .iter()
            .map(Collector::peak_memory)
            .max()
            .unwrap_or_default()
    }

    /// The reloads of all collectors.
    pub(crate) fn reloads(&self) -> Reloads {
        let mut sum = Reloads::default();
        for collector in &self.collectors {
            sum.add(collector.reloads());
        }
        sum
    }

    /// The ends of the collectors' logs.
    pub(crate) fn logs(&self) -> String {
        let log =
            |(replica, collector): (usize, &Collector)| format!("=== log of replica {replica}\n{}", collector.log());
        self.collectors.iter().enumerate().map(log).collect()
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The name of a replica, to the API and in the lease.
fn user(replica: usize) -> String {
    format!("replica-{replica}")
}

fn tell(oracle: &mut Oracle, received: &Arc<Received>, fate: Fate) {
    for record in received.payload.records() {
        let text = |key: &str| {
            let value = record.attributes.get(key).and_then(|value| value.as_str());
            value.unwrap_or_default().to_owned()
        };
        let id = text("log.record.uid");
        if let Some(notice) = NoticeEvent::read(&record) {
            let owner = record.resource.get("k8s.cronjob.name");
            let owner = owner.and_then(|owner| owner.as_str()).unwrap_or_default();
            oracle.notice(&id, owner, notice, fate);
            continue;
        }
        let (uid, outcome) = (text("k8s.job.uid"), text("k8s.job.outcome"));
        oracle.event(Event { id, uid, outcome }, fate);
    }
    for point in received.payload.points() {
        // A gauge may have two values: the last one is right.
        if point.temporality != Some(Temporality::Delta) {
            continue;
        }
        let resource = |key: &str| point.resource.get(key).cloned();
        let owner = resource("k8s.cronjob.name").or_else(|| resource("k8s.job.name"));
        let count = match point.value {
            PointValue::Int(count) => count,
            _ => 0,
        };
        let second = point.time_unix_nano / 1_000_000_000;
        oracle.point(
            Point {
                owner: owner.unwrap_or_default(),
                series: format!("{} {:?} {:?}", point.metric, point.resource, point.attributes),
                second,
                content: format!(
                    "{:?} from {} to {}",
                    point.value, point.start_unix_nano, point.time_unix_nano
                ),
                count,
                metric: point.metric,
            },
            fate,
        );
    }
}
