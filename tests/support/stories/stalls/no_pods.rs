//! Jobs without a Pod.

use job_judge::Cause;
use serde_json::json;

use super::super::story::{condition, time};
use super::{StallStory, Story, job, one_pod};

const QUOTA: &str =
    "Error creating: pods \"j-1\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5";
const ACCOUNT: &str = "Error creating: pods \"j-1\" is forbidden: error looking up service account ns/app: serviceaccount \"app\" \
                       not found";
const WEBHOOK: &str = "Error creating: Internal error occurred: failed calling webhook \"policy.example.com\": context deadline \
                       exceeded";

fn none(name: &'static str, spec: serde_json::Value) -> Story {
    job(name, spec).idle()
}

pub(super) fn stories() -> Vec<StallStory> {
    let mut stories = creation();
    stories.extend(on_purpose());
    stories
}

fn creation() -> Vec<StallStory> {
    let broader = [Cause::NoPodsCreated];
    vec![
        none("quota", json!({}))
            .repeats(&[0, 1, 3, 7, 15, 31, 63, 123], "jobs/j", "FailedCreate", QUOTA)
            .stalls_without_events(200, &[(Cause::QuotaExceeded, 0, 200)], &broader),
        none("quota-is-raised", json!({}))
            .repeats(&[0, 1, 3, 7, 15, 31, 63], "jobs/j", "FailedCreate", QUOTA)
            .another(100, "a")
            .at(101)
            .runs("a")
            .stalls_without_events(300, &[(Cause::QuotaExceeded, 0, 99)], &broader),
        none("quota-passes", json!({}))
            .repeats(&[0, 1, 3, 7, 15], "jobs/j", "FailedCreate", QUOTA)
            .another(20, "a")
            .at(21)
            .runs("a")
            .moves(300),
        job("quota-between-pods", json!({"completions": 3}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(50)
            .ends("a", 0, "Completed")
            .idle()
            .repeats(&[51, 52, 54, 58, 66, 82], "jobs/j", "FailedCreate", QUOTA)
            .stalls_without_events(150, &[(Cause::QuotaExceeded, 51, 150)], &[]),
        none("failure-after-a-quota", json!({"backoffLimit": 20}))
            .repeats(&[0, 1, 3, 7, 15], "jobs/j", "FailedCreate", QUOTA)
            .another(20, "a")
            .fails("a", 21, 25)
            .moves(200),
        none("no-service-account", json!({}))
            .repeats(&[0, 1, 3, 7, 15, 31, 63], "jobs/j", "FailedCreate", ACCOUNT)
            .stalls_without_events(100, &[(Cause::AdmissionDenied, 0, 100)], &broader),
        none("webhook-blip", json!({}))
            .repeats(&[0], "jobs/j", "FailedCreate", WEBHOOK)
            .another(2, "a")
            .at(3)
            .runs("a")
            .moves(300),
        none("no-controller", json!({})).stalls(200, &[(Cause::NoPodsCreated, 0, 200)]),
        none("slow-controller", json!({}))
            .another(45, "a")
            .at(46)
            .runs("a")
            .moves(300),
    ]
}

fn on_purpose() -> Vec<StallStory> {
    let suspended = |since| condition("Suspended", true, "JobSuspended", "Job suspended", since);
    let resumed = |since| condition("Suspended", false, "JobResumed", "Job resumed", since);
    let resume = |story: Story, second: i64| {
        story
            .at(second)
            .patch(
                "jobs/j",
                json!({"spec": {"suspend": false}, "status": {"startTime": time(second), "active": 1}}),
            )
            .conditions("jobs/j", &[resumed(second)])
    };
    let stopped = |story: Story, second: i64| {
        story
            .at(second)
            .patch(
                "jobs/j",
                json!({"spec": {"suspend": true}, "status": {"startTime": null, "active": 0}}),
            )
            .conditions("jobs/j", &[suspended(second)])
    };
    let asleep = |name| stopped(none(name, json!({"suspend": true})), 0);
    let queued = |name| {
        let labels = json!({"labels": {"kueue.x-k8s.io/queue-name": "gpu"}});
        let story = Story::other(name, "Suspended", None).named_job("j", json!({"suspend": true}), labels);
        stopped(story, 0)
    };
    let failed_twice = |name| {
        job(name, json!({"backoffLimit": 20}))
            .pod("a")
            .fails("a", 1, 5)
            .another(15, "b")
            .fails("b", 16, 20)
    };
    vec![
        none("no-parallelism", json!({"parallelism": 0})).moves(300),
        asleep("suspended").moves(600),
        stopped(
            one_pod("suspended-with-a-pod-that-waits")
                .at(1)
                .admitted("a")
                .waits("a", "ErrImagePull", "x"),
            20,
        )
        .controller_deletes("a")
        .moves(300),
        resume(asleep("resumed-without-an-image"), 300)
            .pod("a")
            .at(301)
            .admitted("a")
            .waits("a", "ErrImagePull", "not found")
            .stalls(400, &[(Cause::ImagePull, 301, 400)]),
        resume(stopped(failed_twice("resumed-after-failures"), 24), 300)
            .pod("c")
            .at(301)
            .runs("c")
            .moves(500),
        queued("queued").stalls(200, &[(Cause::AwaitingAdmission, 0, 200)]),
        resume(queued("admitted-by-the-queue"), 100)
            .pod("a")
            .at(101)
            .runs("a")
            .stalls(300, &[(Cause::AwaitingAdmission, 0, 99)]),
        job(
            "managed-by-another-controller",
            json!({"managedBy": "kueue.x-k8s.io/multikueue"}),
        )
        .stalls(200, &[(Cause::AwaitingAdmission, 0, 200)]),
        job(
            "started-by-another-controller",
            json!({"managedBy": "kueue.x-k8s.io/multikueue"}),
        )
        .at(10)
        .patch("jobs/j", json!({"status": {"startTime": time(10), "active": 1}}))
        .moves(300),
    ]
}
