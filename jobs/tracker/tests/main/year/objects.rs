//! Kubernetes objects of the simulated cluster, as watches deliver them.

use jiff::Timestamp;
use job_watch::model::{ApiGroup, Condition, Event, Metadata, Owner};
use job_watch::{Object, model};

use super::cluster::{CronJob, Run};

pub(crate) const NAMESPACE: &str = "shop";

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn metadata(name: &str, uid: &str, created: i64) -> Metadata {
    Metadata {
        name: name.into(),
        namespace: NAMESPACE.into(),
        uid: uid.into(),
        creation_timestamp: Some(at(created)),
        ..Default::default()
    }
}

pub(crate) fn cronjob(of: &CronJob) -> Object {
    let mut cronjob = model::CronJob {
        metadata: metadata(&of.name, &of.uid, of.created),
        ..Default::default()
    };
    cronjob.metadata.generation = Some(of.generation);
    cronjob.spec.schedule = Some(of.text.as_str().into());
    cronjob.spec.time_zone = of.zone.map(Box::from);
    cronjob.spec.concurrency_policy = Some(of.policy.into());
    cronjob.spec.suspend = Some(of.is_suspended);
    cronjob.spec.starting_deadline_seconds = of.deadline;
    cronjob.status.last_schedule_time = of.last_scheduled.map(at);
    cronjob.status.last_successful_time = of.last_success.map(at);
    cronjob.status.active.resize_with(of.active.len(), Default::default);
    Object::CronJob(Box::new(cronjob))
}

pub(crate) fn job(run: &Run, of: &CronJob, number: u64) -> Object {
    let name = format!("{}-{}", of.name, run.slot / 60);
    let mut job = model::Job {
        metadata: metadata(&name, &format!("job-{number}"), run.created),
        ..Default::default()
    };
    job.metadata.annotations.scheduled = Some(at(run.slot));
    job.metadata.owner_references = vec![Owner {
        api_version: ApiGroup::Batch,
        kind: "CronJob".into(),
        name: of.name.as_str().into(),
        uid: of.uid.as_str().into(),
        controller: true,
    }];
    if let Some(ended) = run.ended {
        job.status.conditions = vec![Condition {
            kind: if run.fails { "Failed" } else { "Complete" }.into(),
            status: "True".into(),
            last_transition_time: Some(at(ended)),
            ..Default::default()
        }];
    }
    Object::Job(Box::new(job))
}

/// An Event of the CronJob controller.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) about: usize,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: i32,
}

pub(crate) fn event(said: &Said, of: &CronJob) -> Object {
    let name = format!("{}.{}.{}", of.name, said.reason, said.first);
    let mut event = Event {
        metadata: metadata(&name, &name, said.first),
        reason: said.reason.into(),
        message: said.message.as_str().into(),
        count: said.count,
        first_timestamp: Some(at(said.first)),
        last_timestamp: Some(at(said.last)),
        ..Default::default()
    };
    event.source.component = "cronjob-controller".into();
    event.involved_object.api_version = ApiGroup::Batch;
    event.involved_object.kind = "CronJob".into();
    event.involved_object.name = of.name.as_str().into();
    event.involved_object.uid = of.uid.as_str().into();
    Object::Event(Box::new(event))
}
