//! Two replicas with a Lease, and ConfigMaps that hold their state.

use crate::case::Case;
use crate::control_plane::collector::{Settings, Storage, events, failures_in};

fn replica(case: &Case) -> Settings {
    Settings {
        storage: Storage::Cluster(case.namespace.clone()),
        ..Settings::default()
    }
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn the_standby_leads_after_the_leader_is_killed() {
    let case = Case::shared("lease").await;
    let mut leader = case.collector("leader", &replica(&case));
    leader.start_watching().await;
    leader.until_logged("this replica leads").await;
    let mut standby = case.collector("standby", &replica(&case));
    standby.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await, case.job("across").await];
    case.until_reported(&jobs[..1], &[&leader, &standby]).await;
    assert!(!standby.log().contains("this replica leads"));
    leader.kill().await;
    jobs[1].fail(&case.admin, "BackoffLimitExceeded").await;
    jobs.push(case.failed_job("meanwhile").await);
    standby.until_logged("this replica leads").await;
    jobs.push(case.failed_job("after").await);
    case.until_reported(&jobs, &[&standby]).await;
    standby.stop().await;
    // The event of a Job whose leader was killed may arrive twice, with the same id; it counts once.
    let events = events(&case.intake);
    for job in &jobs[1..] {
        assert_eq!(events[&job.uid].len(), 1, "{events:#?}");
    }
    assert_eq!(failures_in(&case.intake, &case.namespace), 4, "{}", standby.log());
    let lease = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/kube-job-collector",
        case.namespace
    );
    let lease = case.admin.get(&lease).await.unwrap();
    assert!(
        lease["spec"]["leaseTransitions"].as_i64() >= Some(1),
        "expected a transition in {lease:#}"
    );
    case.end().await;
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn a_config_map_holds_the_checkpoint() {
    let case = Case::shared("config-map").await;
    let mut collector = case.collector("collector", &replica(&case));
    collector.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await];
    case.until_reported(&jobs, &[&collector]).await;
    collector.stop().await;
    for name in ["receiver-k8s-job", "connector-job-metrics"] {
        let path = format!(
            "/api/v1/namespaces/{}/configmaps/kube-job-collector-{name}",
            case.namespace
        );
        let map = case.admin.get(&path).await.unwrap();
        let is_filled = |key: &str| map[key].as_object().is_some_and(|data| !data.is_empty());
        assert!(is_filled("binaryData") || is_filled("data"), "{map:#}");
    }
    jobs.push(case.failed_job("meanwhile").await);
    collector.start_watching().await;
    jobs.push(case.failed_job("after").await);
    case.until_reported(&jobs, &[&collector]).await;
    collector.stop().await;
    let events = events(&case.intake);
    for job in &jobs {
        assert_eq!(events[&job.uid].len(), 1, "{events:#?}");
    }
    assert_eq!(failures_in(&case.intake, &case.namespace), 3);
    case.end().await;
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn a_former_leader_that_resumes_reports_nothing_twice() {
    let case = Case::shared("fenced").await;
    let mut former = case.collector("former", &replica(&case));
    former.start_watching().await;
    former.until_logged("this replica leads").await;
    let mut next = case.collector("next", &replica(&case));
    next.start_watching().await;
    let mut jobs = vec![case.failed_job("before").await];
    case.until_reported(&jobs, &[&former, &next]).await;
    former.signal("STOP").await;
    jobs.push(case.failed_job("meanwhile").await);
    case.until_reported(&jobs, &[&next]).await;
    former.signal("CONT").await;
    jobs.push(case.failed_job("after").await);
    case.until_reported(&jobs, &[&former, &next]).await;
    former.stop().await;
    next.stop().await;
    assert_eq!(
        failures_in(&case.intake, &case.namespace),
        3,
        "{}\n{}",
        former.log(),
        next.log()
    );
    case.end().await;
}
