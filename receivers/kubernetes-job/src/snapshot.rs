//! One look at a cluster: lists, without watches, through the same decoder and tracker as a cluster that is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Request;
use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_event::evidence::{Gap, Pod};
use kube::Client;
use kube::client::Body;

use crate::decode::list_page;
use crate::model::{CronJob, Event, Job, Pod as ModelPod, Watched};
use crate::tracker::{Kind, Object, Observation, OnFirstStart, Source, Tracker, TrackerSettings};
use crate::watch::listing::{Listing, Progress};
use crate::watch::machine::Failure;
use crate::watch::request::{Target, encoded};
use crate::watch::{page, send, whole};

/// How long the API server keeps Events (`--event-ttl` of `kube-apiserver`, 1 h by default).
pub const EVENT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// How long the API server may be silent while it fetches a log from a kubelet.
const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// By how many bytes a log may be longer than was asked for.
const LOG_EXCESS: usize = 64 * 1024;

/// What the lists of a cluster hold.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The objects, by what was asked for.
    pub objects: BTreeMap<Kind, Vec<Object>>,
    /// What may not be listed.
    pub forbidden: BTreeSet<Kind>,
    /// Objects that could not be read, with why.
    pub undecodable: Vec<String>,
}

impl Snapshot {
    /// Lists what `target` asks for and adds it. That other objects than Jobs are forbidden is noted, not an error.
    ///
    /// # Errors
    /// Why the list could not be had.
    pub async fn read(&mut self, client: &Client, target: &Target) -> Result<(), Failure> {
        let kind = target.source.kind;
        let read = match kind {
            Kind::CronJobs => pages::<CronJob>(client, target, Object::CronJob).await,
            Kind::Jobs => pages::<Job>(client, target, Object::Job).await,
            Kind::Pods => pages::<ModelPod>(client, target, Object::Pod).await,
            Kind::JobEvents | Kind::PodEvents | Kind::NodeEvents => pages::<Event>(client, target, Object::Event).await,
        };
        match read {
            Ok((objects, undecodable)) => {
                self.objects.entry(kind).or_default().extend(objects);
                self.undecodable.extend(undecodable);
                Ok(())
            }
            Err(Failure::Status { code: 403, .. }) if kind != Kind::Jobs => {
                self.forbidden.insert(kind);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// The Jobs.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.of(Kind::Jobs).filter_map(|object| match object {
            Object::Job(job) => Some(&**job),
            _ => None,
        })
    }

    /// The Events about Jobs, or the warnings about Pods.
    pub fn events(&self, kind: Kind) -> impl Iterator<Item = &Event> {
        self.of(kind).filter_map(|object| match object {
            Object::Event(event) => Some(&**event),
            _ => None,
        })
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    /// Leaves out the Jobs for which `wanted` is false.
    pub fn retain_jobs(&mut self, wanted: impl Fn(&Job) -> bool) {
        if let Some(jobs) = self.objects.get_mut(&Kind::Jobs) {
            jobs.retain(|object| matches!(object, Object::Job(job) if wanted(job)));
        }
    }

    /// What is known of each Job: the tracker's first list of everything, at `now`. In no particular order.
    pub fn into_evidence(self, now: Timestamp) -> Vec<Evidence> {
        let mut tracker = Tracker::new(TrackerSettings {
            settle: SignedDuration::ZERO,
            on_first_start: OnFirstStart::ReportFinished,
            ..Default::default()
        });
        let mut objects = self.objects;
        for kind in Kind::ALL {
            let source = Source { kind, scope: 0 };
            if self.forbidden.contains(&kind) {
                tracker.apply(source, Observation::Forbidden, now);
                continue;
            }
            tracker.apply(source, Observation::ListBegins, now);
            for object in objects.remove(&kind).unwrap_or_default() {
                tracker.apply(source, Observation::Listed(object), now);
            }
            tracker.apply(source, Observation::ListEnds, now);
        }
        let mut evidence: Vec<Evidence> = std::iter::from_fn(|| tracker.drain(true)).collect();
        evidence.extend(tracker.into_unended());
        for evidence in &mut evidence {
            if shows_everything(evidence, now) {
                evidence.gaps.retain(|gap| *gap != Gap::JoinedLate);
            }
        }
        evidence
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.get(&kind).into_iter().flatten()
    }
}

/// Whether the last state of a Job still tells all that happened: every Pod that its controller counts exists, none
/// was restarted or deleted, and the Events are young enough to be there. Then it does not matter when one looked.
fn shows_everything(evidence: &Evidence, now: Timestamp) -> bool {
    let status = &evidence.job.status;
    let untouched = |pod: &Pod| pod.deletion.is_none() && pod.containers.iter().all(|c| c.restarts == 0);
    let counted = i64::from(status.failed) + i64::from(status.succeeded) + i64::from(status.active);
    let pods = i64::try_from(evidence.pods.len()).unwrap_or(i64::MAX);
    let began = evidence.job.created;
    counted > 0
        && pods >= counted
        && evidence.pods.iter().all(untouched)
        && !status
            .conditions
            .iter()
            .any(|condition| &*condition.kind == "Suspended")
        && began.is_some_and(|began| now.duration_since(began) < EVENT_LIFETIME)
}

/// The pages of a list: its objects, and why some could not be read.
async fn pages<T: Watched>(
    client: &Client,
    target: &Target,
    object: fn(Box<T>) -> Object,
) -> Result<(Vec<Object>, Vec<String>), Failure> {
    let (mut objects, mut undecodable) = (Vec::new(), Vec::new());
    let mut listing = Listing::new();
    loop {
        let body = match page(client, target, listing.token(), listing.limit()).await {
            Err(failure) if listing.failed(&failure) => {
                objects.clear();
                undecodable.clear();
                continue;
            }
            body => body?,
        };
        let page = list_page(&body, T::TYPE).map_err(|error| Failure::BadList(error.to_string()))?;
        let progress = listing.page_read(&page)?;
        for item in page.objects::<T>() {
            match item.and_then(|item| target.check(item)) {
                Ok(item) => objects.push(object(Box::new(item))),
                Err(problem) => undecodable.push(problem.to_string()),
            }
        }
        if let Progress::Complete(_) = progress {
            return Ok((objects, undecodable));
        }
    }
}

/// Which part of a container's log to read.
#[derive(Clone, Copy, Debug)]
pub struct LogOf<'a> {
    /// The Pod's namespace.
    pub namespace: &'a str,
    /// The Pod's name.
    pub pod: &'a str,
    /// The container's name.
    pub container: &'a str,
    /// Whether to read the log of the run before the last restart.
    pub previous: bool,
}

/// The last `lines` lines of a container's log, at most `bytes` bytes from the beginning of those.
///
/// # Errors
/// Why it could not be had.
pub async fn log(client: &Client, of: LogOf<'_>, lines: u32, bytes: u32) -> Result<String, Failure> {
    let mut uri = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={}&tailLines={lines}&limitBytes={bytes}",
        encoded(of.namespace),
        encoded(of.pod),
        encoded(of.container)
    );
    if of.previous {
        uri.push_str("&previous=true");
    }
    let read = async {
        let mut body = send(client, Request::get(uri).body(Body::empty())).await?.into_body();
        // A server that sends more than it was asked for is not waited for.
        whole(&mut body, bytes as usize + LOG_EXCESS, LOG_PATIENCE).await
    };
    let log = tokio::time::timeout(LOG_PATIENCE, read).await;
    let log = log.map_err(|_| Failure::Silence(LOG_PATIENCE))??;
    Ok(String::from_utf8_lossy(&log).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-23T17:00:00Z";

    fn snapshot(pods: &[Value], failed: i32, created: &str) -> Vec<Evidence> {
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u", "creationTimestamp": created},
            "spec": {"backoffLimit": 0}, "status": {"failed": failed, "conditions": [
                {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]}});
        let pods = pods
            .iter()
            .map(|pod| Object::Pod(serde_json::from_value(pod.clone()).unwrap()));
        let mut snapshot = Snapshot::default();
        let job = Object::Job(serde_json::from_value(job).unwrap());
        snapshot.objects.insert(Kind::Jobs, vec![job]);
        snapshot.objects.insert(Kind::Pods, pods.collect());
        snapshot.into_evidence(NOW.parse().unwrap())
    }

    fn pod(restarts: i32) -> Value {
        json!({"metadata": {"name": "j-1", "namespace": "n", "uid": "p",
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "restartCount": restarts,
                "state": {"terminated": {"exitCode": 3, "containerID": "c"}}}]}})
    }

    #[test]
    fn a_job_whose_pods_all_exist_lacks_nothing() {
        let evidence = snapshot(&[pod(0)], 1, "2026-11-23T16:30:00Z");
        assert_eq!(evidence.len(), 1);
        assert_eq!(evidence[0].pods.len(), 1);
        assert_eq!(evidence[0].gaps, []);
    }

    #[test]
    fn a_job_whose_past_may_be_lost_says_so() {
        for (pods, failed, created) in [
            (&[pod(0)][..], 2, "2026-11-23T16:30:00Z"),
            (&[pod(1)], 1, "2026-11-23T16:30:00Z"),
            (&[pod(0)], 1, "2026-11-23T15:59:00Z"),
            (&[], 0, "2026-11-23T16:30:00Z"),
        ] {
            assert_eq!(snapshot(pods, failed, created)[0].gaps, [Gap::JoinedLate]);
        }
    }

    #[test]
    fn what_is_forbidden_is_a_gap() {
        let mut snapshot = Snapshot::default();
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u"}});
        snapshot
            .objects
            .insert(Kind::Jobs, vec![Object::Job(serde_json::from_value(job).unwrap())]);
        snapshot.forbidden = [Kind::Pods, Kind::PodEvents].into();
        let evidence = snapshot.into_evidence(NOW.parse().unwrap());
        assert_eq!(evidence[0].gaps, [Gap::PodsForbidden, Gap::EventsForbidden]);
    }
}
