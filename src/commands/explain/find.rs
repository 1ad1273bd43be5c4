//! The lists that `explain` reads from the API server: the Jobs, their Pods, CronJobs and Events.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use escape::Escaped;
use jiff::{SignedDuration, Timestamp};
use job_event::{Outcome, Uid};
use job_watch::WatchError;
use job_watch::access;
use job_watch::model::{Job, Pod, PodStatus};
use job_watch::snapshot::Snapshot;
use job_watch::watch::request::{CRONJOB_EVENTS, JOB_UID_LABEL, NODE_EVENTS, PODS_OF_JOBS, SCALE_UP_EVENTS, Target};
use job_watch::{Kind, Object, Source};
use kube::Client;

use super::cronjob::CronJobEvents;
use super::gone::gone_pods;

/// Events are listed object by object up to this number of objects, else for all objects of the kind.
pub(super) const ONE_BY_ONE: usize = 8;
/// The most UIDs in a selector, which is part of the URL.
const SELECTED: usize = 50;

/// The cluster and the namespace that are searched. Errors are messages for a person.
#[derive(Clone, Copy)]
pub(super) struct Finder<'a> {
    pub client: &'a Client,
    /// The namespace; `None` for all.
    pub namespace: Option<&'a str>,
    /// The label selector of Jobs where no name selects them; empty for all.
    pub labels: &'a str,
}

impl Finder<'_> {
    /// The Job of that name, without anything about it; `None` if it does not exist.
    pub(super) async fn job(self, name: &str) -> Result<Option<Snapshot>, String> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::Jobs, "", &named(name)).await?;
        Ok(Some(snapshot).filter(|snapshot| snapshot.count(Kind::Jobs) > 0))
    }

    /// Adds the CronJob, the Pods and the Events of the Job in the snapshot.
    pub(super) async fn about_job(self, snapshot: &mut Snapshot) -> Result<(), String> {
        let owner = snapshot
            .jobs()
            .find_map(|job| Some(named(&job.metadata.controller("CronJob")?.name)));
        if let Some(owner) = owner {
            self.read(snapshot, Kind::CronJobs, "", &owner).await?;
        }
        self.belongings(snapshot).await
    }

    /// The Jobs that the selector matches, with their Pods, CronJobs and Events.
    pub(super) async fn selected_jobs(self) -> Result<Snapshot, String> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::Jobs, self.labels, "").await?;
        if snapshot.count(Kind::Jobs) > 0 {
            self.read(&mut snapshot, Kind::CronJobs, "", "").await?;
            self.belongings(&mut snapshot).await?;
        }
        Ok(snapshot)
    }

    /// The namespaces and names of the CronJobs that the selector matches.
    pub(super) async fn selected_cronjobs(self) -> Result<Vec<(String, String)>, String> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::CronJobs, self.labels, "").await?;
        if snapshot.forbidden.contains(&Kind::CronJobs) {
            return Err(format!("not allowed to list CronJobs in {}", self.place()));
        }
        let names = snapshot.cronjobs().map(|cronjob| {
            (
                cronjob.metadata.namespace.to_string(),
                cronjob.metadata.name.to_string(),
            )
        });
        Ok(names.collect())
    }

    /// A CronJob and its runs that still exist, with their Pods and Events, and the runs that its own Events name; if no run
    /// exists, also the Events of the latest of these.
    pub(super) async fn cronjob(self, name: &str) -> Result<(Snapshot, CronJobEvents), String> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::CronJobs, "", &named(name)).await?;
        self.read(&mut snapshot, Kind::Jobs, "", "").await?;
        snapshot.retain_jobs(|job| {
            job.metadata
                .controller("CronJob")
                .is_some_and(|owner| &*owner.name == name)
        });
        let fields = format!("{CRONJOB_EVENTS},involvedObject.name={name}");
        self.read(&mut snapshot, Kind::CronJobEvents, "", &fields).await?;
        let found = CronJobEvents::of(snapshot.events(Kind::CronJobEvents));
        match snapshot.count(Kind::Jobs) {
            0 => self.gone_runs(&mut snapshot, &found).await?,
            _ => self.belongings(&mut snapshot).await?,
        }
        Ok((snapshot, found))
    }

    /// The error for a CronJob without any run.
    pub(super) fn no_run(self, snapshot: &Snapshot, name: &str, found: &CronJobEvents) -> String {
        let place = self.place();
        let mut problem = match snapshot.count(Kind::CronJobs) {
            0 if snapshot.forbidden.contains(&Kind::CronJobs) => format!(
                "no Job of a CronJob {name:?} in {place}; listing CronJobs is forbidden, so the CronJob may exist"
            ),
            0 => format!("no CronJob {name:?} in {place}; `kubectl get cronjobs -A` lists all"),
            _ => format!(
                "no run of CronJob {name:?} in {place} exists: all are deleted, or it has not run yet \
                 (successfulJobsHistoryLimit, failedJobsHistoryLimit and ttlSecondsAfterFinished limit finished runs)"
            ),
        };
        for (number, event) in found.problems.iter().enumerate() {
            let lead = if number == 0 { "; its latest Events:" } else { "" };
            problem.push_str(&format!("{lead}\n  {event}"));
        }
        problem
    }

    /// The Jobs that failed at most `since` before `now`, with their Pods, CronJobs and Events; and the number of all Jobs.
    pub(super) async fn all_failed(
        self,
        since: Option<SignedDuration>,
        now: Timestamp,
    ) -> Result<(Snapshot, usize), String> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::Jobs, self.labels, "").await?;
        let looked_at = snapshot.count(Kind::Jobs);
        snapshot.retain_jobs(|job| failed_since(job, since, now));
        self.all_belongings(&mut snapshot).await?;
        Ok((snapshot, looked_at))
    }

    /// The Jobs that have not finished, with their Pods, CronJobs and Events.
    pub(super) async fn all_unfinished(self) -> Result<Snapshot, String> {
        let mut snapshot = Snapshot::default();
        self.read(&mut snapshot, Kind::Jobs, self.labels, "").await?;
        snapshot.retain_jobs(|job| job.to_evidence().verdict().is_none());
        self.all_belongings(&mut snapshot).await?;
        Ok(snapshot)
    }

    /// The Pods of many Jobs, their CronJobs, and the Events about all of them.
    async fn all_belongings(self, snapshot: &mut Snapshot) -> Result<(), String> {
        if snapshot.count(Kind::Jobs) == 0 {
            return Ok(());
        }
        self.read(snapshot, Kind::CronJobs, "", "").await?;
        self.read(snapshot, Kind::Pods, PODS_OF_JOBS, "").await?;
        self.pods_without_label(snapshot).await?;
        self.events_of_kind(snapshot, Kind::JobEvents).await?;
        if gone_pods(snapshot).is_empty() {
            self.events_of_kind(snapshot, Kind::PodEvents).await?;
        } else {
            snapshot.all_pod_events = true;
            self.read(snapshot, Kind::PodEvents, "", "involvedObject.kind=Pod")
                .await?;
        }
        self.node_events(snapshot).await
    }

    /// The Pods of the Jobs in the snapshot, and the Events about both.
    async fn belongings(self, snapshot: &mut Snapshot) -> Result<(), String> {
        let jobs: Vec<String> = snapshot.jobs().map(|job| job.metadata.uid.to_string()).collect();
        for some in jobs.chunks(SELECTED) {
            let selector = format!("{JOB_UID_LABEL} in ({})", some.join(","));
            self.read(snapshot, Kind::Pods, &selector, "").await?;
        }
        self.pods_without_label(snapshot).await?;
        self.events_of(snapshot, Kind::JobEvents, &jobs).await?;
        let pods: Vec<String> = snapshot
            .objects
            .get(&Kind::Pods)
            .into_iter()
            .flatten()
            .map(|pod| pod.metadata().uid.to_string())
            .collect();
        if gone_pods(snapshot).len() <= ONE_BY_ONE {
            self.events_of(snapshot, Kind::PodEvents, &pods).await?;
        }
        self.events_of_gone_pods(snapshot).await?;
        self.node_events(snapshot).await
    }

    /// Adds the Pods of Jobs whose Pods have no label to list them by: every Pod of the namespace is listed, and its owner
    /// decides.
    async fn pods_without_label(self, snapshot: &mut Snapshot) -> Result<(), String> {
        let mut jobs: BTreeMap<String, BTreeSet<Box<str>>> = BTreeMap::new();
        for job in snapshot.jobs().filter(|job| job.hides_its_pods()) {
            let namespace = job.metadata.namespace.to_string();
            jobs.entry(namespace)
                .or_default()
                .insert(job.metadata.uid.as_str().into());
        }
        for (namespace, jobs) in jobs {
            let place = Finder {
                namespace: Some(&namespace),
                ..self
            };
            let mut all = Snapshot::default();
            place.read(&mut all, Kind::Pods, "", "").await?;
            snapshot.forbidden.append(&mut all.forbidden);
            snapshot.undecodable.append(&mut all.undecodable);
            let known = snapshot.objects.entry(Kind::Pods).or_default();
            let seen: HashSet<Uid> = known.iter().map(Object::uid).collect();
            let is_missing = |pod: &Object| {
                let owner = pod.metadata().controller("Job");
                owner.is_some_and(|owner| jobs.contains(owner.uid.as_str())) && !seen.contains(&pod.uid())
            };
            known.extend(all.objects.remove(&Kind::Pods).into_iter().flatten().filter(is_missing));
        }
        Ok(())
    }

    /// Events of nodes about kills, if a container was killed and its runtime does not report why. Nodes have no namespace;
    /// their Events are in `default`.
    async fn node_events(self, snapshot: &mut Snapshot) -> Result<(), String> {
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

    async fn events_of(self, snapshot: &mut Snapshot, kind: Kind, uids: &[String]) -> Result<(), String> {
        if uids.len() > ONE_BY_ONE {
            return self.events_of_kind(snapshot, kind).await;
        }
        for uid in uids {
            self.read(snapshot, kind, "", &format!("involvedObject.uid={uid}"))
                .await?;
        }
        Ok(())
    }

    async fn events_of_kind(self, snapshot: &mut Snapshot, kind: Kind) -> Result<(), String> {
        let all_of_them: &[&str] = match kind {
            Kind::PodEvents => &["involvedObject.kind=Pod,type=Warning", SCALE_UP_EVENTS],
            _ => &["involvedObject.kind=Job"],
        };
        for fields in all_of_them {
            self.read(snapshot, kind, "", fields).await?;
        }
        Ok(())
    }

    pub(super) async fn read(
        self,
        snapshot: &mut Snapshot,
        kind: Kind,
        labels: &str,
        fields: &str,
    ) -> Result<(), String> {
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
            wanted: None,
            shard: None,
            shard_selector: String::new(),
        }
    }

    /// The error for a missing Job, with other places to look.
    pub(super) async fn no_job(self, name: &str) -> String {
        let mut problem = format!("no Job {name:?} in {}", self.place());
        let mut others = Snapshot::default();
        let everywhere = Finder {
            namespace: None,
            ..self
        };
        let fields = named(name);
        // Only a hint: errors are ignored.
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
            problem.push_str(&format!("; a CronJob of that name exists: use cronjob/{name}"));
        } else if !namespaces.is_empty() {
            problem.push_str(&format!("; one exists in -n {}", Escaped(namespaces.join(", -n "))));
        } else if !events.is_empty() {
            problem.push_str(
                ". It was deleted (by hand, by its ttlSecondsAfterFinished or by its CronJob's history limit); its \
                 latest Events:",
            );
            // The latest of several Jobs with the name.
            let uid = events.last().map(|event| event.involved_object.uid.clone());
            events.retain(|event| Some(&event.involved_object.uid) == uid.as_ref());
            for event in &events[events.len().saturating_sub(5)..] {
                let (reason, message) = (Escaped(&event.reason), Escaped(&event.message));
                problem.push_str(&format!("\n  {reason}: {message}"));
            }
        } else {
            problem.push_str("; it may have been deleted; `kubectl get jobs -A` lists all Jobs");
        }
        problem
    }

    /// The searched place, for messages.
    pub(super) fn place(self) -> String {
        match self.namespace {
            Some(namespace) => format!("namespace {namespace:?}"),
            None => "any namespace".into(),
        }
    }
}

/// True if a container of the Pod ended with SIGKILL, and not for its own memory limit.
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

pub(super) fn named(name: &str) -> String {
    format!("metadata.name={name}")
}

/// True if the Job failed at most `since` before `now`, or at an unknown time.
fn failed_since(job: &Job, since: Option<SignedDuration>, now: Timestamp) -> bool {
    let job = job.to_evidence();
    let age = job.decided_at().map(|at| now.duration_since(at));
    job.outcome() == Outcome::Failed && since.is_none_or(|since| age.is_none_or(|age| age <= since))
}

/// The message for a failed list, with the next step.
fn problem(target: &Target, refusal: &WatchError) -> String {
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
