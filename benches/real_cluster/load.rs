//! The objects of the cluster, and their updates.

use std::sync::Arc;
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
            }
            job
        });
    }
    let jobs = tasks.join_all().await;
    println!("{} Jobs, {} Pods each", bench.jobs, bench.pods);
    Cluster { jobs: Arc::new(jobs) }
}

fn suffix(pod: usize) -> String {
    format!("x{pod:04}")
}

impl Cluster {
    /// Makes this many updates, evenly at so many a second.
    pub(crate) async fn update(&self, admin: &Admin, what: Updated, updates: usize, per_second: u32) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut tasks = JoinSet::new();
        for number in 0..updates {
            ticks.tick().await;
            let (jobs, admin) = (Arc::clone(&self.jobs), admin.clone());
            tasks.spawn(async move {
                let job = &jobs[number % jobs.len()];
                match what {
                    Updated::Jobs => {
                        // A new value each time, or nothing is written.
                        let note = json!({"metadata": {"annotations": {"update": number.to_string()}}});
                        admin.patch(&job.path(), &note).await
                    }
                    Updated::Pods => {
                        let path = format!(
                            "/api/v1/namespaces/{}/pods/{}-{}/status",
                            NAMESPACE,
                            job.name,
                            suffix(0)
                        );
                        let status = json!({"status": {"message": number.to_string()}});
                        admin.patch(&path, &status).await
                    }
                }
            });
        }
        for done in tasks.join_all().await {
            done.unwrap();
        }
    }
}
