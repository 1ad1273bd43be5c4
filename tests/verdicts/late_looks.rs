//! Deleted Pods: the Events that prove a cause, and those that do not.

use jiff::{SignedDuration, Timestamp};
use job_judge::{Cause, Judgement, Quality, judge};
use job_watch::snapshot::Snapshot;
use job_watch::{Kind, Object};
use serde_json::{Value, json};

fn at(seconds: i64) -> String {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    (start + SignedDuration::from_secs(seconds)).to_string()
}

/// A Job with one deleted Pod, of which only the Events remain.
struct Look {
    job: Value,
    events: Vec<Value>,
}

impl Look {
    /// A Job that exceeded its deadline of 60 s. Its Pod was created in second 0 and deleted at the deadline.
    fn deadline() -> Look {
        let mut look = Look::ended("DeadlineExceeded");
        look.job["spec"]["activeDeadlineSeconds"] = 60.into();
        look.of_job("SuccessfulDelete", "Deleted pod: j-1", 60)
    }

    fn ended(reason: &str) -> Look {
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u", "creationTimestamp": at(0)},
            "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never"}}},
            "status": {"startTime": at(0), "failed": 1, "conditions": [{"type": "FailureTarget", "status": "True",
                "reason": reason, "lastTransitionTime": at(60)}]}});
        let events = Vec::new();
        Look { job, events }.of_job("SuccessfulCreate", "Created pod: j-1", 0)
    }

    fn restarted(mut self) -> Look {
        self.job["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure".into();
        self
    }

    fn of_job(mut self, reason: &str, message: &str, second: i64) -> Look {
        self.events.push(
            json!({"metadata": {"namespace": "n"}, "type": "Normal", "reason": reason, "message": message,
            "source": {"component": "job-controller"}, "firstTimestamp": at(second), "lastTimestamp": at(second),
            "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u"}}),
        );
        self
    }

    /// An Event about the Pod, or about a container of it (`main` or `init:NAME`), in these seconds.
    fn says(mut self, container: &str, reason: &str, message: &str, seconds: &[i64]) -> Look {
        let path = match container.strip_prefix("init:") {
            _ if container.is_empty() => String::new(),
            Some(name) => format!("spec.initContainers{{{name}}}"),
            None => format!("spec.containers{{{container}}}"),
        };
        self.events.push(
            json!({"metadata": {"namespace": "n"}, "reason": reason, "message": message,
            "type": if reason.contains("Fail") { "Warning" } else { "Normal" },
            "count": seconds.len(), "firstTimestamp": at(seconds[0]), "lastTimestamp": at(*seconds.last().unwrap()),
            "source": {"component": "kubelet"},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "j-1", "uid": "p", "fieldPath": path}}),
        );
        self
    }

    fn scheduled(self) -> Look {
        self.says("", "Scheduled", "Successfully assigned n/j-1 to node7", &[0])
    }

    /// The container was started in these seconds.
    fn started(self, container: &str, seconds: &[i64]) -> Look {
        let pulled = "Container image \"app:1\" already present on machine";
        self.says(container, "Pulled", pulled, seconds)
            .says(container, "Created", "Container created", seconds)
            .says(container, "Started", "Container started", seconds)
    }

    /// The kubelet stopped it.
    fn stopped(self, container: &str, second: i64) -> Look {
        self.says(
            container,
            "Killing",
            &format!("Stopping container {container}"),
            &[second],
        )
    }

    fn judged(self) -> Judgement {
        let events = |of: &str| {
            let of_kind = self
                .events
                .iter()
                .filter(|event| event["involvedObject"]["kind"] == *of);
            let events = of_kind.map(|event| Object::Event(serde_json::from_value(event.clone()).unwrap()));
            events.collect::<Vec<_>>()
        };
        let mut snapshot = Snapshot {
            all_pod_events: true,
            ..Snapshot::default()
        };
        let job = Object::Job(serde_json::from_value(self.job.clone()).unwrap());
        snapshot.objects.insert(Kind::Jobs, vec![job]);
        snapshot.objects.insert(Kind::JobEvents, events("Job"));
        snapshot.objects.insert(Kind::PodEvents, events("Pod"));
        let mut evidence = job_tracker::snapshot::evidence(snapshot, at(120).parse().unwrap());
        assert_eq!(evidence.len(), 1);
        judge(&evidence.remove(0))
    }

    #[track_caller]
    fn is(self, cause: Cause, words: &str) {
        let found = self.judged();
        assert_eq!(found.cause, Some(cause), "{}", found.summary);
        assert!(found.summary.contains(words), "{}", found.summary);
        let by_events = cause != Cause::Unknown;
        assert_eq!(found.quality == Quality::Events, by_events, "{:?}", found.quality);
    }
}

#[test]
fn a_container_ran_too_long_only_if_the_kubelet_stopped_it() {
    let ran = || Look::deadline().scheduled().started("main", &[2]);
    ran()
        .stopped("main", 60)
        .is(Cause::RanTooLong, "container main was still running");
    ran().is(Cause::Unknown, "the Events of Pod j-1 do not show why");
    let unstarted = Look::deadline().scheduled().stopped("main", 60);
    unstarted.is(Cause::Unknown, "Stopping container main");
    let init = || Look::deadline().scheduled().started("init:migrate", &[1]);
    init()
        .stopped("init:migrate", 60)
        .is(Cause::RanTooLong, "init container migrate was still running");
    init().is(Cause::Unknown, "");
}

#[test]
fn a_container_beside_one_that_had_ended_kept_the_pod_running() {
    let both = || {
        Look::deadline()
            .scheduled()
            .started("main", &[1])
            .started("proxy", &[2])
    };
    both()
        .stopped("proxy", 60)
        .is(Cause::SidecarBlockedCompletion, "container proxy kept the Pod running");
    both()
        .stopped("main", 60)
        .stopped("proxy", 60)
        .is(Cause::RanTooLong, "container main was still running");
}

#[test]
fn a_restarted_container_did_not_run_too_long() {
    let backoff = "Back-off restarting failed container main in pod j-1_n(p)";
    let crashing = || {
        let starts = [1, 2, 15, 40];
        Look::deadline().restarted().scheduled().started("main", &starts)
    };
    let crashed = crashing().says("main", "BackOff", backoff, &[4, 50]);
    crashed.is(Cause::NonZeroExit, "container main failed repeatedly");
    crashing()
        .stopped("main", 60)
        .is(Cause::NonZeroExit, "no Event has its exit code");
    let probe = "Container main failed liveness probe, will be restarted";
    crashing()
        .says("main", "Killing", probe, &[10, 30])
        .is(Cause::Unknown, "failed repeatedly");
    let recovered = Look::deadline().restarted().scheduled().started("main", &[1, 2]);
    recovered
        .says("main", "BackOff", backoff, &[4])
        .stopped("main", 60)
        .is(Cause::RanTooLong, "container main was still running");
}

#[test]
fn a_pull_that_did_not_end_is_a_slow_start() {
    let pulling = || {
        let image = "Pulling image \"registry.example/app:1\"";
        Look::deadline().scheduled().says("main", "Pulling", image, &[2])
    };
    pulling().is(Cause::SlowStart, "still being pulled (registry.example/app:1)");
    // The deletion cuts the pull off.
    let canceled = "Failed to pull image \"registry.example/app:1\": context canceled";
    pulling()
        .says("main", "Failed", canceled, &[60])
        .says("main", "Failed", "Error: ErrImagePull", &[60])
        .is(Cause::SlowStart, "still being pulled");
    Look::deadline().scheduled().is(Cause::Unknown, "Pod j-1");
    // Volumes are mounted before the pull begins.
    let mount = "MountVolume.SetUp failed for volume \"v\" : failed to sync configmap cache";
    pulling()
        .says("", "FailedMount", mount, &[1])
        .is(Cause::SlowStart, "still being pulled");
    let unmounted = Look::deadline().scheduled().says("", "FailedMount", mount, &[1, 30]);
    unmounted.is(Cause::VolumeUnavailable, "failed to sync configmap cache");
}

#[test]
fn an_obstacle_counts_if_it_lasted() {
    let failed = "Failed to pull image \"app:1\": not found";
    let missing = |look: Look, seconds: &[i64]| look.says("main", "Failed", failed, seconds);
    missing(Look::deadline().scheduled(), &[2]).is(Cause::ImagePull, "not found");
    // Without the Events of later stages a single error may have passed.
    missing(Look::deadline(), &[2]).is(Cause::Unknown, "not found");
    missing(Look::deadline(), &[2, 50]).is(Cause::ImagePull, "not found");
    missing(Look::deadline().scheduled(), &[2])
        .started("main", &[20])
        .stopped("main", 60)
        .is(Cause::RanTooLong, "container main was still running");
    let config = "Error: configmap \"c\" not found";
    let pulled = "Successfully pulled image \"app:1\" in 1s";
    missing(Look::deadline().scheduled(), &[2])
        .says("main", "Pulled", pulled, &[20])
        .says("main", "Failed", config, &[21, 50])
        .is(
            Cause::ContainerConfig,
            "configmap “c” not found".replace(['“', '”'], "\"").as_str(),
        );
}

#[test]
fn a_pod_without_a_node_needs_an_event_of_a_scheduler() {
    let full = "0/3 nodes are available: 3 Insufficient cpu.";
    Look::deadline()
        .says("", "FailedScheduling", full, &[1])
        .is(Cause::Unschedulable, "3 Insufficient cpu");
    Look::deadline()
        .says("", "FailedScheduling", full, &[1])
        .scheduled()
        .is(Cause::Unknown, "Insufficient cpu");
    let mut gated = Look::deadline();
    gated.job["spec"]["template"]["spec"]["schedulingGates"] = json!([{"name": "example.com/x"}]);
    gated.is(Cause::SchedulingGated, "Pod j-1 was blocked by a scheduling gate");
    let silent = Look::deadline().judged();
    assert_eq!((silent.cause, silent.quality), (Some(Cause::Unknown), Quality::Partial));
}

#[test]
fn events_of_the_system_show_how_a_pod_ended() {
    let ran = || {
        Look::ended("BackoffLimitExceeded")
            .scheduled()
            .started("main", &[2])
            .stopped("main", 50)
    };
    ran().is(Cause::Unknown, "Stopping container main");
    ran()
        .says("", "Preempted", "Preempted by pod x on node node7", &[50])
        .is(Cause::Preempted, "preempted by a Pod of higher priority");
    ran()
        .says(
            "",
            "Evicted",
            "Usage of EmptyDir volume \"s\" exceeds the limit \"4Mi\". ",
            &[50],
        )
        .is(Cause::EphemeralStorageExceeded, "exceeds the limit");
    let marked = "Marking for deletion Pod n/j-1";
    ran()
        .says("", "TaintManagerEviction", marked, &[50])
        .is(Cause::NodeDrained, "node7");
    ran()
        .says("", "TaintManagerEviction", marked, &[20])
        .says("", "TaintManagerEviction", "Cancelling deletion of Pod n/j-1", &[21])
        .is(Cause::Unknown, "Stopping container main");
}
