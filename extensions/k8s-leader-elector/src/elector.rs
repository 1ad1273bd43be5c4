//! The requests of an election, and when they are made.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use kubernetes_client::objects::{Failure, Objects};
use pipeline::health::{Reporter, Status};
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
        let mut holder = String::new();
        while shutdown.run_until_cancelled(self.round()).await.is_some() {
            if self.election.holder() != holder {
                self.election.holder().clone_into(&mut holder);
                tracing::info!(leader = holder, lease = self.name, "who leads");
            }
        }
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
        match outcome {
            Ok(()) => self.health.report(Status::Ok),
            // Another was faster; that is what elections are about.
            Err(Failure::Conflict(_) | Failure::AlreadyExists(_)) => {}
            Err(failure) => {
                let hint = match failure {
                    Failure::Refused(_) | Failure::NotFound(_) => format!(
                        "; the collector's account needs get, create and update on leases.coordination.k8s.io in namespace {}",
                        self.namespace
                    ),
                    _ => String::new(),
                };
                let problem = format!("the Lease {} cannot be had: {failure}{hint}", self.name);
                tracing::debug!(problem);
                self.health.report(Status::RecoverableError(problem));
            }
        }
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

    fn publish(&self) {
        let now = self.election.leads(Instant::now());
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
