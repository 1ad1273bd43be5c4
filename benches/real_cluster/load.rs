//! The objects of the cluster, and their updates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::Bench;
use crate::control_plane::admin::Admin;
use crate::control_plane::jobs::{PlayedJob, create_namespace};

/// The namespace of the Jobs that exist all the time.
const NAMESPACE: &str = "load";
/// The number of concurrent writes.
const WRITES: usize = 32;

/// Jobs with Pods.
#[derive(Clone)]
pub(crate) struct Cluster {
    jobs: Arc<Vec<PlayedJob>>,
    /// How many updates were made: each writes a value that no other has, or the server would write nothing.
    updates: Arc<AtomicUsize>,
}

/// The objects that are updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Updated {
    Jobs,
    Pods,
}

/// Creates the Jobs, each unfinished and with its Pods.
pub(crate) async fn fill(bench: &Bench) -> Cluster {
    let admin = bench.plane.admin();
    create_namespace(&admin, NAMESPACE).await;
    let permits = Arc::new(Semaphore::new(WRITES));
    let mut tasks = JoinSet::new();
    for number in 0..bench.jobs {
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let (admin, pods) = (admin.clone(), bench.pods);
        tasks.spawn(async move {
            let _permit = permit;
            let job = PlayedJob::create(&admin, NAMESPACE, &format!("nightly-report-{number:07}")).await;
            job.start(&admin).await;
            for pod in 0..pods {
                job.create_pod(&admin, &suffix(pod)).await.unwrap();
                run(&admin, &job, pod).await;
            }
            job
        });
    }
    let jobs = tasks.join_all().await;
    println!("{} Jobs, {} Pods each", bench.jobs, bench.pods);
    Cluster {
        jobs: Arc::new(jobs),
        updates: Arc::default(),
    }
}

fn suffix(pod: usize) -> String {
    format!("x{pod:04}")
}

fn status_path(job: &PlayedJob, pod: usize) -> String {
    format!(
        "/api/v1/namespaces/{NAMESPACE}/pods/{}-{}/status",
        job.name,
        suffix(pod)
    )
}

/// The containers of a Pod run, as in most Jobs.
async fn run(admin: &Admin, job: &PlayedJob, pod: usize) {
    let since = "2026-11-23T12:00:00Z";
    let conditions = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": since}));
    let container = json!({
        "name": "main", "image": "example.com/nothing:1", "imageID": "", "containerID": "containerd://1",
        "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": since}},
    });
    let status =
        json!({"phase": "Running", "startTime": since, "conditions": conditions, "containerStatuses": [container]});
    admin
        .patch(&status_path(job, pod), &json!({"status": status}))
        .await
        .unwrap();
}

impl Cluster {
    /// Makes this many updates, evenly at so many a second.
    pub(crate) async fn update(&self, admin: &Admin, what: Updated, updates: usize, per_second: u32) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut tasks = JoinSet::new();
        for _ in 0..updates {
            ticks.tick().await;
            let number = self.updates.fetch_add(1, Ordering::Relaxed);
            let (jobs, admin) = (Arc::clone(&self.jobs), admin.clone());
            tasks.spawn(async move {
                let job = &jobs[number % jobs.len()];
                match what {
                    Updated::Jobs => {
                        let note = json!({"metadata": {"annotations": {"update": number.to_string()}}});
                        admin.patch(&job.path(), &note).await
                    }
                    Updated::Pods => {
                        let status = json!({"status": {"message": number.to_string()}});
                        admin.patch(&status_path(job, 0), &status).await
                    }
                }
            });
        }
        for done in tasks.join_all().await {
            done.unwrap();
        }
    }
}
