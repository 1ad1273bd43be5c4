//! The requests of an election, and when they are made.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use collector_runtime::health::{Reporter, Status};
use escape::one_line;
use jiff::Timestamp;
use job_watch::client::objects::{Failure, Objects};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use pacing::LogPace;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::election::{Action, Election};

/// How long releasing the Lease may take at the end.
const RELEASE: Duration = Duration::from_millis(800);

/// One process that wants to lead.
pub(crate) struct Elector {
    pub(crate) leases: Objects,
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

/// A name that no other process has: the host's, which in a Pod is the Pod's, and chance.
pub(crate) fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host = if host.is_empty() { "kube-job-collector" } else { &*host };
    format!("{host}_{:016x}", RandomState::new().hash_one(std::process::id()))
}

impl Elector {
    /// Takes part until told to stop, then gives up the lead.
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

    /// One try, and the pause after it.
    async fn round(&mut self) {
        let begun = Instant::now();
        let outcome = match self.election.leads_until() {
            // The lead ends in time even while an answer is waited for.
            Some(until) if self.election.leads(begun) => {
                let attempt = attempt(&self.leases, &self.name, &mut self.election);
                tokio::select! {
                    outcome = attempt => outcome,
                    () = sleep_until(until) => Err(Failure::Unavailable {
                        text: "the Lease could not be renewed in time".into(),
                        retry_after: None,
                    }),
                }
            }
            _ => attempt(&self.leases, &self.name, &mut self.election).await,
        };
        self.publish();
        self.health.detail("leader", one_line(self.election.holder()));
        self.say(outcome);
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
    fn say(&mut self, outcome: Result<(), Failure>) {
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
            // Another was faster; that is what elections are about.
            Err(Failure::Conflict(_) | Failure::AlreadyExists(_)) => {}
            Err(failure) => {
                let problem = self.problem(&failure);
                if self.signs.pace.failed(Instant::now()).is_some() {
                    tracing::warn!(lease = self.name, problem, "this replica cannot become leader");
                }
                self.health.report(Status::RecoverableError(problem));
            }
        }
    }

    fn problem(&self, failure: &Failure) -> String {
        let Self { name, namespace, .. } = self;
        let problem = format!(
            "cannot acquire Lease {namespace}/{name}: {}",
            one_line(&failure.to_string())
        );
        match failure {
            Failure::Refused(_) | Failure::NotFound(_) => format!(
                "{problem}; the collector's account needs get, create and update on leases.coordination.k8s.io in \
                 namespace {namespace}: grant it with the Role in deploy/kustomize/components/high-availability"
            ),
            _ => problem,
        }
    }

    /// Shows who leads in `/readyz` and in the metric.
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

    /// So that another replica need not wait for the Lease to run out.
    async fn release(&mut self) {
        let released = tokio::time::timeout(RELEASE, async {
            let lease = self.leases.get(&self.name).await?;
            match self.election.release(&lease, Timestamp::now()) {
                Some(released) => self.leases.replace(&self.name, &released).await.map(drop),
                None => Ok(()),
            }
        });
        match released.await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::info!(%failure, "the Lease was not given back; it runs out by itself"),
            Err(_) => tracing::info!("the Lease was not given back in time; it runs out by itself"),
        }
    }
}

async fn attempt(leases: &Objects, name: &str, election: &mut Election) -> Result<(), Failure> {
    let asked = Instant::now();
    let lease = match leases.get(name).await {
        Ok(lease) => Some(lease),
        Err(Failure::NotFound(_)) => None,
        Err(failure) => return Err(failure),
    };
    let written = match election.decide(lease.as_ref(), name, Instant::now(), Timestamp::now()) {
        Action::Create(lease) => leases.create(&lease).await?,
        Action::Replace(lease) => leases.replace(name, &lease).await?,
        Action::Wait => return Ok(()),
    };
    election.wrote(&written, asked);
    Ok(())
}
