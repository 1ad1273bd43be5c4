//! The requests of an election, and their times.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use collector_runtime::health::{Reporter, Status};
use escape::one_line;
use jiff::Timestamp;
use job_watch::client::{ErrorKind, error_kind, explain};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use pacing::LogPace;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::election::{Action, Election};

/// The time to release the Lease on shutdown.
const RELEASE: Duration = Duration::from_millis(800);

/// A replica in an election.
pub(crate) struct Elector {
    pub(crate) leases: Api<Lease>,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) election: Election,
    pub(crate) leads: watch::Sender<bool>,
    pub(crate) health: Reporter,
    pub(crate) signs: Signs,
}

/// Signs of an election for operators, besides the Lease.
pub(crate) struct Signs {
    /// `otelcol_k8s_leader_elector_is_leader`, and the extension it is about.
    pub(crate) is_leader: (Gauge<u64>, KeyValue),
    /// Paces warnings about the Lease.
    pub(crate) pace: LogPace,
    /// The claim that the log has named as too long.
    pub(crate) named_claim: Option<Duration>,
}

/// A unique name: the host's, which in a Pod is the Pod's, and a random number.
pub(crate) fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host = if host.is_empty() { "kube-job-collector" } else { &*host };
    format!("{host}_{:016x}", RandomState::new().hash_one(std::process::id()))
}

impl Elector {
    /// Takes part until shutdown, then releases the Lease.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        self.health.detail("lease", format!("{}/{}", self.namespace, self.name));
        self.show(false);
        let mut holder = String::new();
        while shutdown.run_until_cancelled(self.round()).await.is_some() {
            if self.election.holder() != holder {
                self.election.holder().clone_into(&mut holder);
                tracing::info!(leader = %one_line(&holder), lease = self.name, "leader changed");
            }
        }
        self.show(false);
        self.leads.send_replace(false);
        self.release().await;
    }

    /// One attempt, and the pause after it.
    async fn round(&mut self) {
        let begun = Instant::now();
        let outcome = match self.election.leads_until() {
            // The lead ends in time even while a request is pending.
            Some(until) if self.election.leads(begun) => {
                let attempt = attempt(&self.leases, &self.name, &mut self.election);
                tokio::select! {
                    outcome = attempt => outcome,
                    () = sleep_until(until) => Err(kube::Error::Service("the Lease was not renewed in time".into())),
                }
            }
            _ => attempt(&self.leases, &self.name, &mut self.election).await,
        };
        self.publish();
        self.health.detail("leader", one_line(self.election.holder()));
        self.report(outcome);
        let pause = self.election.times().retry_period;
        match self.election.leads_until() {
            Some(until) if self.election.leads(Instant::now()) => {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = sleep_until(until) => self.publish(),
                }
            }
            _ => sleep(pause).await,
        }
    }

    /// Reports the outcome of an attempt to the health endpoint, and at a bounded pace to the log.
    fn report(&mut self, outcome: Result<(), kube::Error>) {
        let claim = self.election.excessive_claim();
        if let Some(claim) = claim.filter(|_| self.signs.named_claim != claim) {
            tracing::warn!(
                lease = self.name,
                leader = %one_line(self.election.holder()),
                found_seconds = claim.as_secs(),
                waiting_at_most_seconds = self.election.longest_claim().as_secs(),
                "the Lease's leaseDurationSeconds is too long; if its holder is gone, delete the Lease"
            );
        }
        self.signs.named_claim = claim;
        match outcome {
            Ok(()) => {
                self.health.report(Status::Ok);
                if let Some(over) = self.signs.pace.worked(Instant::now()) {
                    let lasted = over.lasted.as_secs_f64();
                    tracing::info!(lease = self.name, lasted, "access to the Lease recovered");
                }
            }
            // Another replica was faster.
            Err(error) if error_kind(&error) == ErrorKind::Conflict => {}
            Err(error) => {
                let problem = self.problem(&error);
                if self.signs.pace.failed(Instant::now()).is_some() {
                    tracing::warn!(lease = self.name, problem, "cannot acquire or renew the Lease");
                }
                self.health.report(Status::RecoverableError(problem));
            }
        }
    }

    fn problem(&self, error: &kube::Error) -> String {
        let Self { name, namespace, .. } = self;
        let problem = format!("cannot acquire Lease {namespace}/{name}: {}", one_line(&explain(error)));
        match error_kind(error) {
            ErrorKind::Refused | ErrorKind::NotFound => format!(
                "{problem}; the collector's account needs get, create and update on leases.coordination.k8s.io in \
                 namespace {namespace}: grant it with the Role in deploy/kustomize/components/high-availability"
            ),
            _ => problem,
        }
    }

    /// Shows the role in `/readyz` and in the metric.
    fn show(&self, leads: bool) {
        let (gauge, extension) = &self.signs.is_leader;
        gauge.record(u64::from(leads), std::slice::from_ref(extension));
        self.health.detail("role", if leads { "leader" } else { "standby" });
        if leads {
            self.health.detail("leader", one_line(self.election.identity()));
        }
    }

    fn publish(&self) {
        let now = self.election.leads(Instant::now());
        self.show(now);
        self.leads.send_if_modified(|leads| {
            let changed = *leads != now;
            if changed {
                match now {
                    true => tracing::info!(lease = self.name, "this replica leads"),
                    false => tracing::warn!(lease = self.name, "this replica no longer leads"),
                }
            }
            *leads = now;
            changed
        });
    }

    /// Releases the Lease, so that another replica need not wait until it expires.
    async fn release(&mut self) {
        let released = tokio::time::timeout(RELEASE, async {
            let lease = self.leases.get(&self.name).await?;
            let Some(released) = self.election.release(lease, Timestamp::now()) else {
                return Ok(());
            };
            let options = PostParams::default();
            self.leases.replace(&self.name, &options, &released).await.map(drop)
        });
        match released.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let problem = one_line(&explain(&error)).to_string();
                tracing::info!(
                    lease = self.name,
                    problem,
                    "the Lease was not released; it expires by itself"
                );
            }
            Err(_) => tracing::info!(
                lease = self.name,
                "the Lease was not released in time; it expires by itself"
            ),
        }
    }
}

async fn attempt(leases: &Api<Lease>, name: &str, election: &mut Election) -> Result<(), kube::Error> {
    let asked = Instant::now();
    let lease = leases.get_opt(name).await?;
    let options = PostParams::default();
    let written = match election.decide(lease.as_ref(), name, Instant::now(), Timestamp::now()) {
        Action::Create(lease) => leases.create(&options, &lease).await?,
        Action::Replace(lease) => leases.replace(name, &options, &lease).await?,
        Action::Wait => return Ok(()),
    };
    election.wrote(&written, asked);
    Ok(())
}
