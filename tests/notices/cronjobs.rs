//! Runs of CronJobs that did not start.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::replayed::check;
use crate::stories::Story;
use crate::stories::story::{condition, time};
use crate::story;

const ACTIVE: &str = "Not starting job because prior execution is running and concurrency policy is Forbid";

/// CronJob `c`, created at second 30, that is due every minute unless `spec` says otherwise.
fn cronjob(name: &'static str, spec: Value) -> Story {
    let mut all = json!({"schedule": "* * * * *", "concurrencyPolicy": "Allow", "suspend": false,
        "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1, "jobTemplate": {}});
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    story(name).at(30).cronjob("c", all)
}

/// A change of its spec.
fn changes(story: Story, spec: Value) -> Story {
    let generation = 2 + story.now;
    story.patch(
        "cronjobs/c",
        json!({"metadata": {"generation": generation}, "spec": spec}),
    )
}

/// The name of the run of a slot.
fn name(slot: i64) -> String {
    let minutes = time(slot).parse::<Timestamp>().unwrap().as_second() / 60;
    format!("c-{minutes}")
}

/// The controller creates the Job of a slot.
fn starts(story: Story, slot: i64) -> Story {
    let job = name(slot);
    let owner = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "name": "c",
        "uid": story.uid("cronjobs/c")}]);
    let metadata = json!({"ownerReferences": owner,
        "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": time(slot)}});
    story
        .named_job(&job, json!({}), metadata)
        .patch(
            "cronjobs/c",
            json!({"status": {"lastScheduleTime": time(slot), "active": [{"kind": "Job", "name": job}]}}),
        )
        .tell(
            "cronjobs/c",
            "Normal",
            "SuccessfulCreate",
            &format!("Created job {job}"),
        )
}

/// The Job of a slot completes.
fn completes(story: Story, slot: i64) -> Story {
    let (job, now) = (name(slot), story.now);
    let complete = condition("Complete", true, "CompletionsReached", "", now);
    story
        .patch(&format!("jobs/{job}"), json!({"status": {"active": 0, "succeeded": 1}}))
        .conditions(&format!("jobs/{job}"), &[complete])
        .patch(
            "cronjobs/c",
            json!({"status": {"active": [], "lastSuccessfulTime": time(now)}}),
        )
        .tell(
            "cronjobs/c",
            "Normal",
            "SawCompletedJob",
            &format!("Saw completed job: {job}, condition: Complete"),
        )
}

/// A run that starts `late` seconds after its slot and completes after 5 seconds.
fn run(story: Story, slot: i64, late: i64) -> Story {
    completes(starts(story.at(slot + late), slot).at(slot + late + 5), slot)
}

/// The runs of these slots, each in time.
fn runs(story: Story, slots: impl IntoIterator<Item = i64>) -> Story {
    slots.into_iter().fold(story, |story, slot| run(story, slot, 0))
}

/// The Event of a skipped run; the API server has one Event for all of them.
fn skips(story: Story, slot: i64) -> Story {
    let story = story.at(slot);
    let known = story
        .lines
        .iter()
        .rev()
        .find(|line| line["object"]["reason"] == "JobAlreadyActive")
        .cloned();
    let Some(known) = known else {
        return story.tell("cronjobs/c", "Normal", "JobAlreadyActive", ACTIVE);
    };
    let event = known["object"]["metadata"]["name"].as_str().unwrap().to_owned();
    let count = known["object"]["count"].as_i64().unwrap() + 1;
    story.patch(
        &format!("events/{event}"),
        json!({"count": count, "lastTimestamp": time(slot)}),
    )
}

#[test]
fn runs_that_start_in_time_are_not_missed() {
    check(vec![
        (runs(cronjob("on-time", json!({})), (60..=600).step_by(60)).at(640), &[]),
        // 50 s late is within the grace.
        (run(runs(cronjob("late", json!({})), [60]), 120, 50).at(180), &[]),
        (
            [60, 120, 180].into_iter().fold(
                cronjob("replace", json!({"concurrencyPolicy": "Replace"})),
                |story, slot| {
                    let story = story.at(slot);
                    let story = match slot {
                        60 => story,
                        _ => story.gone(&format!("jobs/{}", name(slot - 60))),
                    };
                    starts(story, slot)
                },
            ),
            &[],
        ),
        // Its Job is deleted at once.
        (
            runs(
                run(cronjob("ttl-0", json!({})), 60, 0)
                    .at(66)
                    .gone(&format!("jobs/{}", name(60))),
                [120, 180, 240],
            ),
            &[],
        ),
        // 13:00 in UTC is 08:00 in New York.
        (
            run(
                cronjob(
                    "new-york",
                    json!({"schedule": "0 8 * * *", "timeZone": "America/New_York"}),
                ),
                3600,
                1,
            )
            .at(7300),
            &[],
        ),
    ]);
}

#[test]
fn slots_without_a_controller_are_late() {
    check(vec![
        // The controller starts only the latest of the slots that it missed.
        (
            run(runs(cronjob("outage", json!({})), [60]).at(260), 240, 21).at(290),
            &["missed ControllerLate 12:02:00", "missed ControllerLate 12:03:00"],
        ),
        (
            run(
                run(cronjob("hourly", json!({"schedule": "0 * * * *"})), 3600, 1),
                10_800,
                1800,
            )
            .at(12_700),
            &["missed ControllerLate 14:00:00", "missed ControllerLate 15:00:00"],
        ),
        (
            run(runs(cronjob("70-s-late", json!({})), [60]), 120, 70).at(200),
            &["missed ControllerLate 12:02:00"],
        ),
        (
            run(
                cronjob(
                    "berlin",
                    json!({"schedule": "30 13 * * 1", "timeZone": "Europe/Berlin"}),
                )
                .at(1700),
                1800,
                300,
            )
            .at(2200),
            &["missed ControllerLate 12:30:00"],
        ),
        // A Job made by hand is no run of a slot.
        (
            {
                let story = runs(cronjob("by-hand", json!({})), [60]).at(125);
                let owner = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "name": "c",
                    "uid": story.uid("cronjobs/c")}]);
                let metadata = json!({"ownerReferences": owner,
                    "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}});
                runs(story.named_job("c-manual-x7k", json!({}), metadata).at(179), [180])
            },
            &["missed ControllerLate 12:02:00"],
        ),
    ]);
}

#[test]
fn a_running_job_forbids_the_next_runs() {
    let forbid = |name| starts(cronjob(name, json!({"concurrencyPolicy": "Forbid"})).at(60), 60);
    let skipped = [120, 180, 240].into_iter().fold(forbid("forbid"), skips);
    check(vec![
        // The end of the run starts that of the latest slot, 20 s late.
        (
            run(completes(skips(skipped, 300).at(320), 60), 300, 20).at(355),
            &[
                "missed ConcurrencyForbidden 12:02:00",
                "missed ConcurrencyForbidden 12:03:00",
                "missed ConcurrencyForbidden 12:04:00",
            ],
        ),
        // The recording ends while the run lasts.
        (
            [120, 180].into_iter().fold(forbid("forbid-end"), skips).at(185),
            &[
                "missed ConcurrencyForbidden 12:02:00",
                "missed ConcurrencyForbidden 12:03:00",
            ],
        ),
        // The Events are lost; the Job that runs is evidence enough.
        (
            run(completes(forbid("forbid-no-events").at(200), 60), 180, 20).at(230),
            &["missed ConcurrencyForbidden 12:02:00"],
        ),
    ]);
}

#[test]
fn a_starting_deadline_can_pass() {
    let missed = |slot: &str| format!("Missed scheduled time to start a job: Mon, 23 Nov 2026 {slot} +0000");
    check(vec![
        (
            runs(
                runs(cronjob("deadline", json!({"startingDeadlineSeconds": 10})), [60])
                    .at(150)
                    .warns("cronjobs/c", "MissSchedule", &missed("12:02:00"))
                    .at(179),
                [180],
            )
            .at(200),
            &["missed StartingDeadlineExceeded 12:02:00"],
        ),
        // Slots of a suspended CronJob are not missed, and neither is the one whose deadline passed meanwhile.
        (
            runs(
                changes(
                    changes(
                        runs(
                            cronjob("deadline-suspended", json!({"startingDeadlineSeconds": 10})),
                            [60],
                        )
                        .at(90),
                        json!({"suspend": true}),
                    )
                    .at(255),
                    json!({"suspend": false}),
                )
                .at(290),
                [300, 360],
            )
            .at(380),
            &[],
        ),
    ]);
}

#[test]
fn slots_that_do_not_count_are_not_missed() {
    let paused = |name| changes(runs(cronjob(name, json!({})), [60]).at(90), json!({"suspend": true}));
    check(vec![
        (
            paused("suspended")
                .at(1000)
                .patch("cronjobs/c", json!({"metadata": {"labels": {"a": "b"}}})),
            &[],
        ),
        // On resuming, the controller starts the latest slot.
        (
            runs(
                run(changes(paused("resumed").at(500), json!({"suspend": false})), 480, 21),
                [540],
            )
            .at(580),
            &[],
        ),
        (
            run(
                changes(
                    runs(cronjob("other-schedule", json!({})), [60]).at(90),
                    json!({"schedule": "0 * * * *"}),
                ),
                3600,
                0,
            )
            .at(3620),
            &[],
        ),
        (
            runs(cronjob("deleted", json!({})), [60])
                .at(90)
                .gone("cronjobs/c")
                .at(800)
                .job(json!({})),
            &[],
        ),
        // The slot is due at this moment.
        (runs(cronjob("undecided", json!({})), [60]).at(125).job(json!({})), &[]),
        (
            runs(cronjob("silenced", json!({})), [60])
                .patch(
                    "cronjobs/c",
                    json!({"metadata": {"annotations": {"k8s-job-collector/missed-runs": "off"}}}),
                )
                .at(600)
                .job(json!({})),
            &[],
        ),
    ]);
}

#[test]
fn a_schedule_that_cannot_be_evaluated_is_reported_once() {
    let zone = "unknown timeZone: \"Mars/Olympus\"";
    let story = cronjob("unknown-zone", json!({"timeZone": "Mars/Olympus"}))
        .warns("cronjobs/c", "UnknownTimeZone", zone)
        .at(400)
        .job(json!({}));
    let fields = cronjob("four-fields", json!({"schedule": "* * * *"}))
        .warns(
            "cronjobs/c",
            "UnparseableSchedule",
            "unparseable schedule: \"* * * *\" : expected exactly 5 fields",
        )
        .at(400)
        .job(json!({}));
    check(vec![
        (story, &["missed InvalidSchedule 1 slots"]),
        (fields, &["missed InvalidSchedule 1 slots"]),
    ]);
}

#[test]
fn a_job_that_cannot_be_created_is_an_unknown_reason() {
    let quota = "Error creating job: jobs.batch \"c-29\" is forbidden: exceeded quota: jobs, requested: count/jobs.batch=1, used: \
                 count/jobs.batch=9, limited: count/jobs.batch=9";
    let story = runs(cronjob("job-quota", json!({})), [60])
        .at(120)
        .warns("cronjobs/c", "FailedCreate", quota);
    let story = runs(story.at(179), [180]).at(200);
    check(vec![(story, &["missed Unknown 12:02:00"])]);
}

#[test]
fn many_slots_are_counted_one_by_one() {
    let story = run(runs(cronjob("three-hours", json!({})), [60]), 10_800, 20).at(10_900);
    let (notices, _) = crate::replayed::replayed(&crate::replayed::text(&story), crate::replayed::thirty_seconds());
    let missed = notices.iter().map(|notice| match notice {
        job_event::Notice::Missed(missed) => missed.count,
        other => panic!("{other:?}"),
    });
    // 12:02 to 14:59; the run of 15:00 is 20 s late, and that of 15:01 is not decided yet.
    assert_eq!(missed.sum::<u64>(), 178);
}

#[test]
fn an_old_cronjob_begins_with_the_recording() {
    // Created days before; its last run was that of the slot before the recording, and its history is deleted.
    let mut old = runs(cronjob("old", json!({"schedule": "*/5 * * * *"})), [300, 600, 900]);
    old.lines
        .retain(|line| line["t"].as_i64().unwrap() > 600_000 || line["resource"] == "cronjobs");
    let of_then = old
        .lines
        .iter()
        .rposition(|line| line["t"].as_i64().unwrap() < 610_000)
        .unwrap();
    old.lines.drain(..of_then);
    for line in &mut old.lines {
        if line["resource"] == "cronjobs" {
            line["object"]["metadata"]["creationTimestamp"] = "2026-10-01T08:00:00Z".into();
            line["object"]["metadata"]["generation"] = 9.into();
        }
    }
    check(vec![(old, &[])]);
}

#[test]
fn jobs_may_arrive_before_their_cronjob() {
    let mut story = runs(cronjob("jobs-first", json!({})), [60, 120]).at(200).job(json!({}));
    let first = story.lines.remove(0);
    let late = story
        .lines
        .iter()
        .position(|line| line["t"].as_i64().unwrap() > 66_000)
        .unwrap();
    let mut moved = first.clone();
    moved["t"] = story.lines[late]["t"].clone();
    story.lines.insert(late, moved);
    check(vec![(story, &[])]);
}
