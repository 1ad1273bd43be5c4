//! The state of Jobs and CronJobs under the names of kube-state-metrics.

use std::collections::BTreeSet;

use job_watch::{Kind, Object, Observation, Source};
use kube_state_metrics_receiver::state::{FAMILIES, KubeState, PROMETHEUS_TYPE};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{DataPointFlags, ResourceMetrics};
use serde_json::{Value as Json, json};

const JOBS: Source = Source {
    kind: Kind::Jobs,
    scope: 0,
};
const CRONJOBS: Source = Source {
    kind: Kind::CronJobs,
    scope: 0,
};

fn job(json: &Json) -> Object {
    Object::Job(serde_json::from_value(json.clone()).expect("a Job"))
}

fn cronjob(json: &Json) -> Object {
    Object::CronJob(serde_json::from_value(json.clone()).expect("a CronJob"))
}

/// A Job with this status.
fn with_status(status: &Json) -> Object {
    job(&json!({"metadata": {"name": "backup", "namespace": "shop", "uid": "u1",
        "creationTimestamp": "2026-11-24T10:00:00Z"}, "status": status}))
}

/// Series as Prometheus writes them; `ended` instead of a value for a deleted object.
fn series(metrics: &[ResourceMetrics]) -> Vec<String> {
    let metrics = metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
    let mut lines = Vec::new();
    for metric in metrics {
        let Some(Data::Gauge(gauge)) = &metric.data else {
            panic!("{metric:?} is not a gauge");
        };
        for point in &gauge.data_points {
            let labels = point.attributes.iter().map(|pair| {
                let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
                let Some(AnyValue::StringValue(value)) = value else {
                    panic!("{pair:?} is not a text");
                };
                format!("{}=\"{value}\"", pair.key)
            });
            let labels = labels.collect::<Vec<_>>().join(",");
            let value = match (&point.value, point.flags) {
                (Some(Value::AsInt(value)), 0) => value.to_string(),
                (None, flags) if flags == DataPointFlags::NoRecordedValueMask as u32 => "ended".into(),
                other => panic!("{other:?} is not a value"),
            };
            lines.push(format!("{}{{{labels}}} {value}", metric.name));
        }
    }
    lines
}

fn take(state: &mut KubeState) -> Vec<String> {
    series(&state.take(usize::MAX, None, 7))
}

/// The series of a Job with this status whose names have the prefix, without the common labels.
fn of_status(status: &Json, prefix: &str) -> Vec<String> {
    let mut state = KubeState::default();
    state.apply(JOBS, &Observation::Changed(with_status(status)));
    let lines = take(&mut state).into_iter().filter(|line| line.starts_with(prefix));
    lines
        .map(|line| {
            let line = line.replace("namespace=\"shop\",job_name=\"backup\"", "");
            line.replace("{,", "{")
        })
        .collect()
}

#[test]
fn a_job_has_all_its_series() {
    let mut state = KubeState::default();
    state.apply(
        JOBS,
        &Observation::Changed(job(&json!({
            "metadata": {"name": "backup-1", "namespace": "shop", "uid": "u1", "creationTimestamp": "2026-11-24T10:00:00Z",
                "ownerReferences": [{"kind": "CronJob", "name": "backup", "uid": "c1", "controller": true},
                    {"kind": "Thing", "name": "x", "uid": "t"}]},
            "spec": {"parallelism": 2, "completions": 3, "activeDeadlineSeconds": 600},
            "status": {"startTime": "2026-11-24T10:00:01Z", "completionTime": "2026-11-24T10:01:00Z", "active": 1,
                "ready": 1, "succeeded": 2, "conditions": [{"type": "Suspended", "status": "False"},
                    {"type": "Complete", "status": "True"}]}}))),
    );
    let labels = "namespace=\"shop\",job_name=\"backup-1\"";
    let expected = [
        ("kube_job_info", "", 1),
        ("kube_job_created", "", 1_795_514_400),
        (
            "kube_job_owner",
            ",owner_kind=\"CronJob\",owner_name=\"backup\",owner_is_controller=\"true\"",
            1,
        ),
        (
            "kube_job_owner",
            ",owner_kind=\"Thing\",owner_name=\"x\",owner_is_controller=\"false\"",
            1,
        ),
        ("kube_job_spec_parallelism", "", 2),
        ("kube_job_spec_completions", "", 3),
        ("kube_job_spec_active_deadline_seconds", "", 600),
        ("kube_job_status_active", "", 1),
        ("kube_job_status_ready", "", 1),
        ("kube_job_status_succeeded", "", 2),
        ("kube_job_status_failed", "", 0),
        ("kube_job_status_suspended", "", 0),
        ("kube_job_status_start_time", "", 1_795_514_401),
        ("kube_job_status_completion_time", "", 1_795_514_460),
        ("kube_job_complete", ",condition=\"true\"", 1),
        ("kube_job_complete", ",condition=\"false\"", 0),
        ("kube_job_complete", ",condition=\"unknown\"", 0),
    ]
    .map(|(name, more, value)| format!("{name}{{{labels}{more}}} {value}"));
    assert_eq!(take(&mut state), expected);
    assert!(!state.is_pending());
}

#[test]
fn a_failed_job_has_a_series_with_its_reason() {
    let failed = |status: &str, reason: &str, failed: i32| {
        let status = json!({"failed": failed, "conditions": [{"type": "Failed", "status": status, "reason": reason}]});
        of_status(&status, "kube_job_status_failed")
    };
    let known = |value: [u8; 3]| {
        let reasons = ["BackoffLimitExceeded", "DeadlineExceeded", "Evicted"];
        let lines = reasons.iter().zip(value);
        lines
            .map(|(reason, value)| format!("kube_job_status_failed{{reason=\"{reason}\"}} {value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(failed("True", "BackoffLimitExceeded", 4), known([1, 0, 0]));
    // With its reason although no Pod failed.
    assert_eq!(failed("True", "DeadlineExceeded", 0), known([0, 1, 0]));
    // Any other reason has a series of its own.
    let mut policy = known([0, 0, 0]);
    policy.push("kube_job_status_failed{reason=\"PodFailurePolicy\"} 1".into());
    assert_eq!(failed("True", "PodFailurePolicy", 2), policy);
    // A Job that has not failed: the number of failed Pods.
    assert_eq!(
        failed("False", "BackoffLimitExceeded", 2),
        ["kube_job_status_failed{} 2"]
    );
    let retrying = of_status(&json!({"failed": 1}), "kube_job_status_failed");
    assert_eq!(retrying, ["kube_job_status_failed{} 1"]);
}

#[test]
fn conditions_have_series_once_they_exist() {
    assert_eq!(of_status(&json!({}), "kube_job_failed"), [""; 0]);
    assert_eq!(of_status(&json!({}), "kube_job_complete"), [""; 0]);
    assert_eq!(of_status(&json!({}), "kube_job_status_suspended"), [""; 0]);
    let failed = |status: &str| {
        let status = json!({"conditions": [{"type": "Failed", "status": status}]});
        of_status(&status, "kube_job_failed").join(" ")
    };
    let expected = |values: [u8; 3]| {
        let [yes, no, unknown] = values;
        format!(
            "kube_job_failed{{condition=\"true\"}} {yes} kube_job_failed{{condition=\"false\"}} {no} \
             kube_job_failed{{condition=\"unknown\"}} {unknown}"
        )
    };
    assert_eq!(failed("True"), expected([1, 0, 0]));
    assert_eq!(failed("False"), expected([0, 1, 0]));
    assert_eq!(failed("Unknown"), expected([0, 0, 1]));
    // Its Pods still run, so it has not failed yet.
    let target = json!({"conditions": [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}]});
    assert_eq!(of_status(&target, "kube_job_failed"), [""; 0]);
    let suspended = json!({"conditions": [{"type": "Suspended", "status": "True"}]});
    assert_eq!(
        of_status(&suspended, "kube_job_status_suspended"),
        ["kube_job_status_suspended{} 1"]
    );
    let no_owner = ["kube_job_owner{owner_kind=\"\",owner_name=\"\",owner_is_controller=\"\"} 1"];
    assert_eq!(of_status(&json!({}), "kube_job_owner"), no_owner);
}

#[test]
fn a_cronjob_has_all_its_series() {
    let mut state = KubeState::default();
    state.apply(
        CRONJOBS,
        &Observation::Changed(cronjob(&json!({
            "metadata": {"name": "backup", "namespace": "shop", "uid": "c1", "resourceVersion": "1234",
                "creationTimestamp": "2026-11-24T10:00:00Z"},
            "spec": {"schedule": "*/5 * * * *", "concurrencyPolicy": "Forbid", "timeZone": "Europe/Berlin",
                "suspend": false, "startingDeadlineSeconds": 60, "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1},
            "status": {"active": [{"kind": "Job", "name": "backup-1"}], "lastScheduleTime": "2026-11-24T10:05:00Z",
                "lastSuccessfulTime": "2026-11-24T10:01:00Z"}}))),
    );
    let labels = "namespace=\"shop\",cronjob=\"backup\"";
    let info = ",schedule=\"*/5 * * * *\",concurrency_policy=\"Forbid\",timezone=\"Europe/Berlin\"";
    let expected = [
        ("kube_cronjob_info", info, 1),
        ("kube_cronjob_created", "", 1_795_514_400),
        ("kube_cronjob_status_active", "", 1),
        ("kube_cronjob_status_last_schedule_time", "", 1_795_514_700),
        ("kube_cronjob_status_last_successful_time", "", 1_795_514_460),
        ("kube_cronjob_spec_suspend", "", 0),
        ("kube_cronjob_spec_starting_deadline_seconds", "", 60),
        ("kube_cronjob_next_schedule_time", "", 1_795_515_000),
        ("kube_cronjob_metadata_resource_version", "", 1234),
        ("kube_cronjob_spec_successful_job_history_limit", "", 3),
        ("kube_cronjob_spec_failed_job_history_limit", "", 1),
    ]
    .map(|(name, more, value)| format!("{name}{{{labels}{more}}} {value}"));
    assert_eq!(take(&mut state), expected);
}

/// The series of a CronJob about its schedule.
fn of_schedule(spec: &Json, status: &Json) -> Vec<String> {
    let mut state = KubeState::default();
    let metadata = json!({"name": "c", "uid": "c", "creationTimestamp": "2026-11-24T10:00:00Z"});
    let cronjob = cronjob(&json!({"metadata": metadata, "spec": spec, "status": status}));
    state.apply(CRONJOBS, &Observation::Changed(cronjob));
    let lines = take(&mut state);
    let lines = lines
        .iter()
        .filter_map(|line| line.split_once("{namespace=\"\",cronjob=\"c\"} "));
    let names = ["kube_cronjob_next_schedule_time", "kube_cronjob_schedule_invalid"];
    let lines = lines.filter(|(name, _)| names.contains(name));
    lines.map(|(name, value)| format!("{name} {value}")).collect()
}

#[test]
fn the_next_schedule_time_follows_the_last_one() {
    let next = |spec: &Json, status: &Json, expected: i64| {
        let expected = format!("kube_cronjob_next_schedule_time {expected}");
        assert_eq!(of_schedule(spec, status), [expected], "{spec} {status}");
    };
    // Never scheduled: after the creation, at 23:00 UTC, which is midnight in Berlin.
    next(
        &json!({"schedule": "0 0 * * *", "timeZone": "Europe/Berlin"}),
        &json!({}),
        1_795_561_200,
    );
    next(&json!({"schedule": "0 0 * * *"}), &json!({}), 1_795_564_800);
    // However long ago: it says since when a run is due.
    let status = json!({"lastScheduleTime": "2026-11-24T12:00:00Z"});
    next(
        &json!({"schedule": "@hourly", "suspend": false}),
        &status,
        1_795_525_200,
    );
    // As kube-state-metrics: the year 1.
    next(&json!({"schedule": "0 0 30 2 *"}), &json!({}), -62_135_596_800);
}

#[test]
fn a_suspended_cronjob_has_no_next_schedule_time() {
    assert_eq!(
        of_schedule(&json!({"schedule": "@hourly", "suspend": true}), &json!({})),
        [""; 0]
    );
}

#[test]
fn an_invalid_schedule_has_a_series() {
    let invalid = ["kube_cronjob_schedule_invalid 1"];
    assert_eq!(of_schedule(&json!({"schedule": "61 * * * *"}), &json!({})), invalid);
    assert_eq!(
        of_schedule(&json!({"schedule": "61 * * * *", "suspend": true}), &json!({})),
        invalid
    );
    let unknown_zone = json!({"schedule": "@hourly", "timeZone": "Europe/Atlantis"});
    assert_eq!(of_schedule(&unknown_zone, &json!({})), invalid);
    // kube-state-metrics writes both time zones before the schedule.
    let two_zones = json!({"schedule": "TZ=UTC 0 * * * *", "timeZone": "Europe/Berlin"});
    assert_eq!(of_schedule(&two_zones, &json!({})), invalid);
}

#[test]
fn sends_changed_objects_and_all_on_refresh() {
    let mut state = KubeState::default();
    let running = with_status(&json!({"active": 1}));
    state.apply(JOBS, &Observation::Changed(running.clone()));
    assert!(!take(&mut state).is_empty());
    state.apply(JOBS, &Observation::Changed(running.clone()));
    assert_eq!(take(&mut state), [""; 0], "no series has changed");
    state.refresh();
    assert!(take(&mut state).contains(&"kube_job_status_active{namespace=\"shop\",job_name=\"backup\"} 1".to_owned()));
    state.apply(JOBS, &Observation::Deleted(running.clone()));
    assert_eq!(take(&mut state), ["kube_job_info{} ended"]);
    state.refresh();
    assert_eq!(take(&mut state), [""; 0]);
    assert!(state.is_empty());
}

#[test]
fn a_new_job_of_the_same_name_outlives_the_old_one() {
    let mut state = KubeState::default();
    let first = with_status(&json!({"failed": 1}));
    state.apply(JOBS, &Observation::Changed(first.clone()));
    let second = job(&json!({"metadata": {"name": "backup", "namespace": "shop", "uid": "u2"}}));
    state.apply(JOBS, &Observation::Changed(second));
    state.apply(JOBS, &Observation::Deleted(first));
    let lines = take(&mut state);
    assert!(
        lines.contains(&"kube_job_status_failed{namespace=\"shop\",job_name=\"backup\"} 0".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn objects_missing_in_a_list_end() {
    let named = |name: &str, namespace: &str| {
        job(&json!({"metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}-{name}")}}))
    };
    let of_scope = |scope| Source {
        kind: Kind::Jobs,
        scope,
    };
    let mut state = KubeState::default();
    for (scope, name, namespace) in [(1, "a", "x"), (1, "b", "x"), (2, "c", "y")] {
        state.apply(of_scope(scope), &Observation::Changed(named(name, namespace)));
    }
    let backup = json!({"metadata": {"name": "cron", "namespace": "x", "uid": "c"}});
    state.apply(
        Source {
            kind: Kind::CronJobs,
            scope: 1,
        },
        &Observation::Changed(cronjob(&backup)),
    );
    take(&mut state);
    state.apply(of_scope(1), &Observation::ListBegins);
    state.apply(of_scope(1), &Observation::Listed(named("b", "x")));
    // From the watch of another namespace.
    state.apply(of_scope(2), &Observation::Changed(named("d", "y")));
    state.apply(of_scope(1), &Observation::ListEnds);
    let metrics = state.take(usize::MAX, None, 7);
    let ended = series(&metrics).iter().filter(|line| line.ends_with("ended")).count();
    assert_eq!((ended, state.len()), (1, 4));
}

#[test]
fn makes_every_family_and_no_other() {
    let mut state = KubeState::default();
    let time = "2026-11-24T10:00:00Z";
    let conditions = ["Failed", "Complete", "Suspended"].map(|kind| json!({"type": kind, "status": "True"}));
    state.apply(
        JOBS,
        &Observation::Changed(job(
            &json!({"metadata": {"name": "j", "uid": "j", "creationTimestamp": time},
            "spec": {"parallelism": 1, "completions": 1, "activeDeadlineSeconds": 1},
            "status": {"startTime": time, "completionTime": time, "conditions": conditions}}),
        )),
    );
    let invalid = json!({"metadata": {"name": "i", "uid": "i"}, "spec": {"schedule": "x"}});
    state.apply(CRONJOBS, &Observation::Changed(cronjob(&invalid)));
    state.apply(
        CRONJOBS,
        &Observation::Changed(cronjob(&json!({
            "metadata": {"name": "c", "uid": "c", "creationTimestamp": time, "resourceVersion": "1"},
            "spec": {"schedule": "@hourly", "suspend": false, "startingDeadlineSeconds": 1, "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 1},
            "status": {"lastScheduleTime": time, "lastSuccessfulTime": time}}))),
    );
    let metrics = state.take(usize::MAX, None, 7);
    let metrics = metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
    let metrics: Vec<_> = metrics.collect();
    let keys = metrics
        .iter()
        .flat_map(|metric| &metric.metadata)
        .map(|pair| &*pair.key);
    assert_eq!(keys.collect::<Vec<_>>(), vec![PROMETHEUS_TYPE; metrics.len()]);
    let made: BTreeSet<&str> = metrics.iter().map(|metric| &*metric.name).collect();
    assert_eq!(made, FAMILIES.iter().map(|(name, _)| *name).collect());
}
