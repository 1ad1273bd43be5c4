//! Deleted Jobs, Pods and runs of CronJobs, found by their Events.

use std::collections::BTreeSet;

use job_tracker::{is_verdict, named_pod};
use job_watch::model::Event;
use job_watch::snapshot::Snapshot;
use job_watch::{Kind, Object};

use super::cronjob::{CronJobEvents, GoneRun};
use super::find::{Finder, ONE_BY_ONE, named};

/// The most runs of a CronJob that are searched, the latest ones.
pub(super) const RUNS: usize = 8;

impl Finder<'_> {
    /// The Events of the latest Job of that name, of its Pods and its CronJob; `None` if no Event has its verdict.
    pub(super) async fn gone_job(self, name: &str) -> Result<Option<Snapshot>, String> {
        let mut snapshot = Snapshot {
            gone_jobs: true,
            ..Snapshot::default()
        };
        self.events_of_job(&mut snapshot, name).await?;
        if !snapshot.events(Kind::JobEvents).any(is_verdict) {
            return Ok(None);
        }
        if let Some((cronjob, _)) = name.rsplit_once('-') {
            self.read(&mut snapshot, Kind::CronJobs, "", &named(cronjob)).await?;
        }
        self.events_of_gone_pods(&mut snapshot).await?;
        Ok(Some(snapshot))
    }

    /// Adds the Events of the latest runs of a CronJob whose runs are all deleted.
    pub(super) async fn gone_runs(self, snapshot: &mut Snapshot, found: &CronJobEvents) -> Result<(), String> {
        snapshot.gone_jobs = true;
        for GoneRun { name, .. } in found.runs.iter().take(RUNS) {
            self.events_of_job(snapshot, name).await?;
        }
        self.events_of_gone_pods(snapshot).await
    }

    /// Adds the Events about the latest Job of that name.
    async fn events_of_job(self, snapshot: &mut Snapshot, name: &str) -> Result<(), String> {
        let mut own = Snapshot::default();
        let fields = format!("involvedObject.kind=Job,involvedObject.name={name}");
        self.read(&mut own, Kind::JobEvents, "", &fields).await?;
        let of_others = own.events(Kind::JobEvents).filter(|event| !event.is_own());
        let latest = of_others.max_by_key(|event| last(event));
        let uid = latest.map(|event| event.involved_object.uid.clone());
        let of_latest = |object: &Object| matches!(object, Object::Event(event) if Some(&event.involved_object.uid) == uid.as_ref());
        let events = own.objects.remove(&Kind::JobEvents).into_iter().flatten();
        let known = snapshot.objects.entry(Kind::JobEvents).or_default();
        known.extend(events.filter(of_latest));
        snapshot.forbidden.append(&mut own.forbidden);
        snapshot.undecodable.append(&mut own.undecodable);
        Ok(())
    }

    /// Adds all Events about the deleted Pods that the Events of Jobs name.
    pub(super) async fn events_of_gone_pods(self, snapshot: &mut Snapshot) -> Result<(), String> {
        snapshot.all_pod_events = true;
        let names = gone_pods(snapshot);
        if names.len() > ONE_BY_ONE {
            return self
                .read(snapshot, Kind::PodEvents, "", "involvedObject.kind=Pod")
                .await;
        }
        for name in names {
            let fields = format!("involvedObject.kind=Pod,involvedObject.name={name}");
            self.read(snapshot, Kind::PodEvents, "", &fields).await?;
        }
        Ok(())
    }
}

/// The names of the deleted Pods that the Events of Jobs name.
pub(super) fn gone_pods(snapshot: &Snapshot) -> BTreeSet<String> {
    let pods = snapshot.objects.get(&Kind::Pods).into_iter().flatten();
    let pods: BTreeSet<&str> = pods.map(|pod| &*pod.metadata().name).collect();
    let named = snapshot.events(Kind::JobEvents).filter_map(named_pod);
    named.filter(|name| !pods.contains(name)).map(str::to_owned).collect()
}

/// When an Event was last observed.
pub(super) fn last(event: &Event) -> Option<jiff::Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time);
    series
        .or(event.last_timestamp)
        .or(event.event_time)
        .or(event.first_timestamp)
}
