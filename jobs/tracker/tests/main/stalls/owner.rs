//! The owner of a stalled Job, and the index of its Pod.

use job_event::Notice;
use job_event::otlp::owner_resource;
use serde_json::{Value, json};

use super::cluster::Cluster;

fn of_scaled_job(job: &mut Value) {
    job["metadata"]["generateName"] = "etl-".into();
    job["metadata"]["ownerReferences"] = json!([{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "name": "etl",
        "uid": "s", "controller": true}]);
}

#[test]
fn notices_gauges_and_the_event_have_one_owner() {
    let mut cluster = Cluster::new(60);
    cluster.create_with("etl-x7k2p", of_scaled_job);
    cluster.stick("etl-x7k2p");
    cluster.wait(100);
    let gauges: Vec<_> = cluster.tracker.states().map(|state| state.job()).collect();
    let [gauge] = &gauges[..] else { panic!("{gauges:?}") };
    cluster.restart();
    cluster.fail("etl-x7k2p");
    let mut finished = None;
    while finished.is_none() {
        cluster.now += super::cluster::seconds(1);
        finished = cluster.tracker.poll(cluster.now);
    }
    cluster.wait(10);
    let jobs = cluster.notices.iter().map(Notice::job);
    let resources: Vec<_> = jobs
        .chain([gauge, &finished.unwrap().job])
        .map(|job| owner_resource(job, None))
        .collect();
    assert_eq!(resources.len(), 4, "a stall, a recovery, a gauge, an event");
    assert!(
        resources.iter().all(|resource| *resource == resources[0]),
        "{resources:#?}"
    );
    let owner = cluster.notices[0].job().owner();
    assert_eq!((owner.kind, owner.name), ("ScaledJob", "etl"));
    assert_eq!(&*cluster.notices[0].job().name, "etl-x7k2p");
}

#[test]
fn a_stall_has_the_index_of_its_pod() {
    let mut cluster = Cluster::new(60);
    cluster.create_with("a", |job| job["spec"]["completionMode"] = "Indexed".into());
    cluster.stick("a");
    cluster.edit("pods", "a", |pod| {
        pod["metadata"]["annotations"] = json!({"batch.kubernetes.io/job-completion-index": "7"});
    });
    cluster.stick("b");
    // The index of a Pod never changes, so it is read from the first version that is seen.
    cluster.restart();
    cluster.wait(100);
    let index = |notice: &Notice| match notice {
        Notice::Stalled(stalled) => (
            stalled.job.name.to_string(),
            stalled.index.as_deref().map(str::to_owned),
        ),
        other => panic!("{other:?}"),
    };
    let mut found: Vec<_> = cluster.notices.iter().map(index).collect();
    found.sort();
    assert_eq!(found, [("a".to_owned(), Some("7".to_owned())), ("b".to_owned(), None)]);
}
