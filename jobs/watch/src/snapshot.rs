//! The current state of a cluster: complete lists, without watches.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use kube::Client;

use crate::WatchError;
use crate::decode::WireFormat;
use crate::model::{CronJob, Event, Job, Namespace, Pod, Watched};
use crate::observation::{Kind, Object};
use crate::watch::listing::{Listing, Progress};
use crate::watch::page;
use crate::watch::request::Target;

/// How long the API server keeps Events (`--event-ttl` of `kube-apiserver`, 1 h by default).
pub const EVENT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The objects of the lists of a cluster.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The objects, by kind.
    pub objects: BTreeMap<Kind, Vec<Object>>,
    /// The kinds that RBAC denies.
    pub forbidden: BTreeSet<Kind>,
    /// The errors of objects that could not be decoded.
    pub undecodable: Vec<String>,
    /// True if the Events about Pods include those of type `Normal`, so that a missing one was not written or has expired.
    pub all_pod_events: bool,
    /// True if Jobs that no longer exist are to be explained from their Events.
    pub gone_jobs: bool,
}

impl Snapshot {
    /// Lists the objects of `target` and adds them. A forbidden list is an error for Jobs only.
    ///
    /// # Errors
    /// The list failed.
    pub async fn read(&mut self, client: &Client, target: &Target) -> Result<(), WatchError> {
        let kind = target.source.kind;
        let read = match kind {
            Kind::CronJobs => pages::<CronJob>(client, target, Object::CronJob).await,
            Kind::Namespaces => pages::<Namespace>(client, target, Object::Namespace).await,
            Kind::Jobs => pages::<Job>(client, target, Object::Job).await,
            Kind::Pods => pages::<Pod>(client, target, Object::Pod).await,
            Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents => {
                pages::<Event>(client, target, Object::Event).await
            }
        };
        match read {
            Ok((objects, undecodable)) => {
                self.objects.entry(kind).or_default().extend(objects);
                self.undecodable.extend(undecodable);
                Ok(())
            }
            Err(WatchError::Status { code: 403, .. }) if kind != Kind::Jobs => {
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

    /// The CronJobs.
    pub fn cronjobs(&self) -> impl Iterator<Item = &CronJob> {
        self.of(Kind::CronJobs).filter_map(|object| match object {
            Object::CronJob(cronjob) => Some(&**cronjob),
            _ => None,
        })
    }

    /// The Events about Jobs, or about Pods.
    pub fn events(&self, kind: Kind) -> impl Iterator<Item = &Event> {
        self.of(kind).filter_map(|object| match object {
            Object::Event(event) => Some(&**event),
            _ => None,
        })
    }

    /// The number of objects of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    /// Removes the Jobs for which `wanted` is false.
    pub fn retain_jobs(&mut self, wanted: impl Fn(&Job) -> bool) {
        if let Some(jobs) = self.objects.get_mut(&Kind::Jobs) {
            jobs.retain(|object| matches!(object, Object::Job(job) if wanted(job)));
        }
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.get(&kind).into_iter().flatten()
    }
}

/// Reads all pages of a list: its objects, and the errors of the others.
async fn pages<T: Watched>(
    client: &Client,
    target: &Target,
    object: fn(Box<T>) -> Object,
) -> Result<(Vec<Object>, Vec<String>), WatchError> {
    let (mut objects, mut undecodable) = (Vec::new(), Vec::new());
    let mut listing = Listing::new();
    loop {
        let body = match page(client, target, listing.token(), listing.limit(), WireFormat::Json).await {
            Err(failure) if listing.failed(&failure) => {
                objects.clear();
                undecodable.clear();
                continue;
            }
            body => body?,
        };
        let page = body.page(T::TYPE).map_err(WatchError::from)?;
        let progress = listing.page_read(&page)?;
        for item in page.objects_with::<T>(target.wanted.as_deref()) {
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
