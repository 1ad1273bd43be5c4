//! What to ask the API server for: the Jobs, and what belongs to them.

use escape::Escaped;
use jiff::{SignedDuration, Timestamp};
use job_event::Outcome;
use job_watch::WatchError;
use job_watch::access;
use job_watch::model::{Job, Pod, PodStatus};
use job_watch::snapshot::Snapshot;
use job_watch::watch::request::{NODE_EVENTS, Target};
use job_watch::{Kind, Object, Source};
use kube::Client;

/// Up to so many objects their Events are asked for one by one; of more, those of all objects of the kind.
const ONE_BY_ONE: usize = 8;
/// How many UIDs a selector holds; it is part of the URL.
const SELECTED: usize = 50;

/// The message for a person who could not be answered.
pub type Problem = String;

/// Where to look.
#[derive(Clone, Copy)]
pub struct Finder<'a> {
    /// How to reach the API server.
    pub client: &'a Client,
    /// The namespace; `None` for all.
    pub namespace: Option<&'a str>,
}

impl Finder<'_> {
    /// The Job of that name and what belongs to it.
    pub async fn job(self, name: &str) -> Result<Snapshot, Problem> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::Jobs, "", &named(name)).await?;
        let Some(job) = snapshot.jobs().next() else {
            return Err(self.no_job(name).await);
        };
        if let Some(owner) = job.metadata.controller("CronJob") {
            let owner = named(&owner.name);
            self.read(&mut snapshot, Kind::CronJobs, "", &owner).await?;
        }
        self.belongings(&mut snapshot).await?;
        Ok(snapshot)
    }

    /// The runs that still exist of the CronJob of that name, and what belongs to them.
    pub async fn cronjob(self, name: &str) -> Result<Snapshot, Problem> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::CronJobs, "", &named(name)).await?;
        self.read(&mut snapshot, Kind::Jobs, "", "").await?;
        snapshot.retain_jobs(|job| {
            job.metadata
                .controller("CronJob")
                .is_some_and(|owner| &*owner.name == name)
        });
        if snapshot.count(Kind::Jobs) == 0 {
            let place = self.place();
            return Err(match snapshot.count(Kind::CronJobs) {
                0 if snapshot.forbidden.contains(&Kind::CronJobs) => format!(
                    "no Job of a CronJob {name:?} in {place}, and CronJobs may not be listed, so it may exist or not"
                ),
                0 => format!("no CronJob {name:?} in {place}; `kubectl get cronjobs -A` lists all"),
                _ => format!(
                    "none of the runs of CronJob {name:?} in {place} exists any more, or it has not run yet: its \
                     successfulJobsHistoryLimit and failedJobsHistoryLimit say how many are kept, and \
                     ttlSecondsAfterFinished for how long"
                ),
            });
        }
        self.belongings(&mut snapshot).await?;
        Ok(snapshot)
    }

    /// The Jobs that failed, at `now` not longer ago than `since`, and what belongs to them. Also how many Jobs were
    /// looked at.
    pub async fn all_failed(self, since: Option<SignedDuration>, now: Timestamp) -> Result<(Snapshot, usize), Problem> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::Jobs, "", "").await?;
        let looked_at = snapshot.count(Kind::Jobs);
        snapshot.retain_jobs(|job| failed_since(job, since, now));
        if snapshot.count(Kind::Jobs) > 0 {
            self.read(&mut snapshot, Kind::CronJobs, "", "").await?;
            self.read(&mut snapshot, Kind::Pods, "batch.kubernetes.io/job-name", "")
                .await?;
            self.events_of_kind(&mut snapshot, Kind::JobEvents).await?;
            self.events_of_kind(&mut snapshot, Kind::PodEvents).await?;
            self.node_events(&mut snapshot).await?;
        }
        Ok((snapshot, looked_at))
    }

    /// The Pods of the Jobs in the snapshot, and the Events about both.
    async fn belongings(self, snapshot: &mut Snapshot) -> Result<(), Problem> {
        let jobs: Vec<(String, i64)> = snapshot
            .jobs()
            .map(|job| {
                let status = job.to_evidence().status;
                let pods = [status.failed, status.succeeded, status.active].map(i64::from);
                (job.metadata.uid.to_string(), pods.iter().sum())
            })
            .collect();
        let expected: i64 = jobs.iter().map(|(_, pods)| pods).sum();
        let jobs: Vec<String> = jobs.into_iter().map(|(uid, _)| uid).collect();
        for some in jobs.chunks(SELECTED) {
            let selector = format!("batch.kubernetes.io/controller-uid in ({})", some.join(","));
            self.read(snapshot, Kind::Pods, &selector, "").await?;
        }
        self.events_of(snapshot, Kind::JobEvents, &jobs).await?;
        let pods: Vec<String> = snapshot
            .objects
            .get(&Kind::Pods)
            .into_iter()
            .flatten()
            .map(|pod| pod.metadata().uid.to_string())
            .collect();
        let some_are_gone = i64::try_from(pods.len()).is_ok_and(|count| count < expected.max(1));
        if some_are_gone {
            // Their UIDs are not known; their Events may still be there.
            self.events_of_kind(snapshot, Kind::PodEvents).await?;
        } else {
            self.events_of(snapshot, Kind::PodEvents, &pods).await?;
        }
        self.node_events(snapshot).await
    }

    /// What nodes say of kills, if a container was killed and its runtime does not say why. Nodes have no namespace;
    /// their Events stand in `default`.
    async fn node_events(self, snapshot: &mut Snapshot) -> Result<(), Problem> {
        let mut pods = snapshot.objects.get(&Kind::Pods).into_iter().flatten();
        if !pods.any(|pod| matches!(pod, Object::Pod(pod) if was_killed(pod))) {
            return Ok(());
        }
        let nowhere = Finder {
            namespace: Some("default"),
            ..self
        };
        nowhere.read(snapshot, Kind::NodeEvents, "", NODE_EVENTS).await
    }

    async fn events_of(self, snapshot: &mut Snapshot, kind: Kind, uids: &[String]) -> Result<(), Problem> {
        if uids.len() > ONE_BY_ONE {
            return self.events_of_kind(snapshot, kind).await;
        }
        for uid in uids {
            self.read(snapshot, kind, "", &format!("involvedObject.uid={uid}"))
                .await?;
        }
        Ok(())
    }

    async fn events_of_kind(self, snapshot: &mut Snapshot, kind: Kind) -> Result<(), Problem> {
        let fields = match kind {
            Kind::PodEvents => "involvedObject.kind=Pod,type=Warning",
            _ => "involvedObject.kind=Job",
        };
        self.read(snapshot, kind, "", fields).await
    }

    async fn read(self, snapshot: &mut Snapshot, kind: Kind, labels: &str, fields: &str) -> Result<(), Problem> {
        let target = self.target(kind, labels, fields);
        snapshot
            .read(self.client, &target)
            .await
            .map_err(|refusal| problem(&target, &refusal))
    }

    fn target(self, kind: Kind, labels: &str, fields: &str) -> Target {
        Target {
            source: Source { kind, scope: 0 },
            namespace: self.namespace.map(str::to_owned),
            label_selector: labels.to_owned(),
            field_selector: fields.to_owned(),
        }
    }

    /// Says that there is no such Job, and where it may be looked for instead.
    async fn no_job(self, name: &str) -> Problem {
        let mut problem = format!("no Job {name:?} in {}", self.place());
        let mut others = Snapshot::default();
        let everywhere = Finder {
            namespace: None,
            ..self
        };
        let fields = named(name);
        // Only help: what is refused here is left out.
        let _ = others
            .read(self.client, &everywhere.target(Kind::Jobs, "", &fields))
            .await;
        let _ = others
            .read(self.client, &self.target(Kind::CronJobs, "", &fields))
            .await;
        let _ = others
            .read(
                self.client,
                &self.target(
                    Kind::JobEvents,
                    "",
                    &format!("involvedObject.kind=Job,involvedObject.name={name}"),
                ),
            )
            .await;
        let mut events: Vec<_> = others.events(Kind::JobEvents).collect();
        events.sort_by_key(|event| event.last_timestamp.or(event.event_time));
        let namespaces: Vec<&str> = others.jobs().map(|job| &*job.metadata.namespace).collect();
        if others.count(Kind::CronJobs) > 0 {
            problem.push_str(&format!("; there is a CronJob of that name: ask for cronjob/{name}"));
        } else if !namespaces.is_empty() {
            problem.push_str(&format!("; there is one in -n {}", Escaped(namespaces.join(", -n "))));
        } else if !events.is_empty() {
            problem.push_str(
                ". It was deleted (by hand, by its ttlSecondsAfterFinished or by its CronJob's history limit); its \
                 Events still tell:",
            );
            // Of several Jobs that had the name, the latest.
            let uid = events.last().map(|event| event.involved_object.uid.clone());
            events.retain(|event| Some(&event.involved_object.uid) == uid.as_ref());
            for event in &events[events.len().saturating_sub(5)..] {
                let (reason, message) = (Escaped(&event.reason), Escaped(&event.message));
                problem.push_str(&format!("\n  {reason}: {message}"));
            }
        } else {
            problem.push_str("; it may have been deleted, or `kubectl get jobs -A` shows where it is");
        }
        problem
    }

    /// The place that was looked at, for messages.
    pub fn place(self) -> String {
        match self.namespace {
            Some(namespace) => format!("namespace {namespace:?}"),
            None => "any namespace".into(),
        }
    }
}

/// Whether a container of the Pod ended with SIGKILL, and not for its own memory limit.
fn was_killed(pod: &Pod) -> bool {
    let PodStatus {
        init_container_statuses,
        container_statuses,
        ..
    } = &pod.status;
    let ends = init_container_statuses
        .iter()
        .chain(container_statuses)
        .flat_map(|status| [&status.state.terminated, &status.last_state.terminated]);
    ends.flatten()
        .any(|end| end.exit_code == 137 && &*end.reason != "OOMKilled")
}

fn named(name: &str) -> String {
    format!("metadata.name={name}")
}

/// Whether the Job has failed, not longer ago than `since`; one that does not say when is taken in.
fn failed_since(job: &Job, since: Option<SignedDuration>, now: Timestamp) -> bool {
    let job = job.to_evidence();
    let age = job.decided_at().map(|at| now.duration_since(at));
    job.outcome() == Outcome::Failed && since.is_none_or(|since| age.is_none_or(|age| age <= since))
}

/// Why a list is unavailable, and what to do.
fn problem(target: &Target, refusal: &WatchError) -> Problem {
    let what = target.describe();
    match refusal {
        WatchError::Status { code: 403, message, .. } => format!(
            "not allowed to list {what}: {}\nAsk a cluster administrator: {}",
            Escaped(message),
            access::rule(target).replace("add to its", "add to your")
        ),
        WatchError::Connection(_) | WatchError::Silence(_) => format!(
            "cannot list {what}: {refusal}\nCheck that the cluster can be reached from here, and that the context is \
             the right one (--context, --kubeconfig; `kubectl config current-context` shows it)"
        ),
        _ => format!("cannot list {what}: {refusal}"),
    }
}
