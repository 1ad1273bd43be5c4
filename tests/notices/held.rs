//! Jobs that are held on purpose, by a queue or by another controller, and owners that are silenced.

use jiff::SignedDuration;
use job_judge::Cause;
use job_tracker::StallSettings;
use serde_json::{Value, json};

use crate::replayed::{check, notices, notices_with};
use crate::stories::Story;
use crate::stories::story::condition;
use crate::story;

fn suspended(story: Story, since: i64) -> Story {
    story
        .patch(
            "jobs/j",
            json!({"spec": {"suspend": true}, "status": {"active": 0, "startTime": null}}),
        )
        .conditions(
            "jobs/j",
            &[condition("Suspended", true, "JobSuspended", "Job suspended", since)],
        )
}

fn no_image(story: Story) -> Story {
    let error = "pull access denied, repository does not exist or may require authorization";
    story
        .at(1)
        .admitted("a")
        .at(2)
        .waits("a", "ErrImagePull", error)
        .warns("pods/a{main}", "Failed", error)
}

#[test]
fn a_job_that_is_suspended_on_purpose_is_never_stalled() {
    check(vec![
        (suspended(story("held").job(json!({})), 0).at(3600), &[]),
        (
            suspended(story("held-midway").job(json!({})).pod("a").at(1).runs("a").at(60), 60)
                .deletes("a")
                .at(90)
                .gone("pods/a")
                .at(3600),
            &[],
        ),
        (
            suspended(story("resumed").job(json!({})), 0)
                .at(600)
                .patch(
                    "jobs/j",
                    json!({"spec": {"suspend": false}, "status": {"active": 1,
                    "startTime": "2026-11-23T12:10:00Z"}}),
                )
                .conditions(
                    "jobs/j",
                    &[condition("Suspended", false, "JobResumed", "Job resumed", 600)],
                )
                .pod("a")
                .at(601)
                .runs("a")
                .at(3600),
            &[],
        ),
    ]);
}

#[test]
fn an_obstacle_before_a_suspension_ends_with_it() {
    let stuck = no_image(story("stuck-then-held").job(json!({})).pod("a")).at(90);
    let held = suspended(stuck, 90).deletes("a").at(120).gone("pods/a").at(3600);
    check(vec![(held, &["stalled ImagePull", "recovered ImagePull"])]);
}

#[test]
fn waiting_for_a_queue_is_reported_only_if_set() {
    let labels = json!({"labels": {"kueue.x-k8s.io/queue-name": "gpu"}});
    let queued = suspended(story("queued").named_job("j", json!({}), labels), 0).at(7200);
    let managed = story("managed")
        .job(json!({"managedBy": "kueue.x-k8s.io/multikueue"}))
        .at(7200);
    let set = StallSettings {
        causes: [(Cause::AwaitingAdmission, Some(SignedDuration::from_secs(30)))].into(),
        ..StallSettings::default()
    };
    for story in [queued, managed] {
        assert_eq!(
            notices_with(&story, set.clone()),
            ["stalled AwaitingAdmission"],
            "{}",
            story.name
        );
        assert_eq!(notices_with(&story, StallSettings::default()), [""; 0]);
        assert_eq!(notices(&story), [""; 0]);
    }
}

fn annotated(name: &'static str, on_cronjob: Value, on_job: Value) -> Story {
    let cronjob = story(name).cronjob("c", json!({"schedule": "0 0 1 1 *", "jobTemplate": {}}));
    let cronjob = cronjob.patch("cronjobs/c", json!({"metadata": {"annotations": on_cronjob}}));
    let uid = cronjob.uid("cronjobs/c");
    let owner = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "name": "c", "uid": uid}]);
    let job = cronjob.named_job("j", json!({}), json!({"annotations": on_job, "ownerReferences": owner}));
    no_image(job.pod("a")).at(200)
}

#[test]
fn annotations_silence_one_owner() {
    let after = |value: &str| json!({"k8s-job-collector/stalled-after": value});
    check(vec![
        (annotated("no-annotation", json!({}), json!({})), &["stalled ImagePull"]),
        (annotated("job-off", json!({}), after("off")), &[]),
        (annotated("cronjob-off", after("off"), json!({})), &[]),
        (annotated("cronjob-hour", after("1h"), json!({})), &[]),
        (
            annotated("cronjob-minute", after("1m"), json!({})),
            &["stalled ImagePull"],
        ),
        // The Job is nearer than its CronJob.
        (
            annotated("job-before-cronjob", after("off"), after("1m")),
            &["stalled ImagePull"],
        ),
        // A value that cannot be read is as if it were missing.
        (
            annotated("unreadable", json!({}), after("soon")),
            &["stalled ImagePull"],
        ),
    ]);
}
