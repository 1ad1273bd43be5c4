//! Jobs that the real Job controller runs; no kubelet runs their Pods.

use serde_json::json;

use crate::case::Case;
use crate::control_plane::collector::{Settings, events};
use crate::control_plane::jobs::{PlayedJob, manifest, pod_template};

#[tokio::test]
#[ignore = "needs an API server and a controller manager"]
async fn reports_a_deadline_of_the_real_controller() {
    let Some((case, plane)) = Case::with_controllers("controllers").await else {
        return;
    };
    let mut collector = case.collector("collector", &Settings::default());
    collector.start_watching().await;
    let mut jobs = Vec::new();
    // Two of three vanish as soon as they have failed.
    for (name, ttl) in [("kept", None), ("gone", Some(0)), ("gone-too", Some(0))] {
        let mut body = manifest(name);
        body["spec"] = json!({
            "activeDeadlineSeconds": 1,
            "ttlSecondsAfterFinished": ttl,
            "template": pod_template(),
        });
        let job = PlayedJob::try_create(&case.admin, &case.namespace, &body).await;
        jobs.push(job.unwrap());
    }
    case.until_reported(&jobs, &[&collector]).await;
    let events = events(&case.intake);
    for job in &jobs {
        let [event] = &events[&job.uid][..] else {
            panic!("expected one event of {}, found {events:#?}", job.name)
        };
        assert_eq!(event["k8s.job.outcome"], "Failed");
        assert_eq!(event["k8s.job.failure.reason"], "DeadlineExceeded");
    }
    collector.stop().await;
    drop(plane);
}
