//! The evidence of Jobs from one snapshot of a cluster, collected by the same tracker as from a watched cluster.

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_event::evidence::{Gap, Pod};
use job_event::notice::MissedRuns;
use job_watch::snapshot::{EVENT_LIFETIME, Snapshot};
use job_watch::{Kind, Observation, Source};

use crate::{OnFirstStart, Tracker, TrackerSettings};

/// The evidence of each Job, finished or not, in no particular order: the tracker's first list of everything, at `now`. With
/// [`Snapshot::gone_jobs`] also of Jobs that no longer exist, if an Event has their verdict.
pub fn evidence(snapshot: Snapshot, now: Timestamp) -> Vec<Evidence> {
    let mut tracker = Tracker::new(TrackerSettings {
        settle: SignedDuration::ZERO,
        on_first_start: OnFirstStart::ReportFinished,
        recovers: snapshot.gone_jobs,
        ..Default::default()
    });
    let mut objects = snapshot.objects;
    tracker.expect_all_events(objects.values().map(Vec::len).sum());
    tracker.pod_event_types.all_read = snapshot.all_pod_events;
    for kind in Kind::ALL {
        let source = Source { kind, scope: 0 };
        if snapshot.forbidden.contains(&kind) {
            tracker.apply(source, Observation::Forbidden, now);
            continue;
        }
        tracker.apply(source, Observation::ListBegins, now);
        for object in objects.remove(&kind).unwrap_or_default() {
            tracker.apply(source, Observation::Listed(object), now);
        }
        tracker.apply(source, Observation::ListEnds, now);
    }
    // Nothing follows the lists, so the wait for it is over.
    let waited = now.checked_add(SignedDuration::from_mins(5)).unwrap_or(now);
    let mut evidence: Vec<Evidence> = std::iter::from_fn(|| tracker.poll(waited)).collect();
    evidence.extend(std::iter::from_fn(|| tracker.drain(true)));
    evidence.extend(tracker.into_unfinished());
    for evidence in &mut evidence {
        // A snapshot has the Pods of such Jobs, by their owner.
        evidence.gaps.retain(|gap| *gap != Gap::PodsNotSelected);
        if shows_everything(evidence, now) {
            evidence.gaps.retain(|gap| *gap != Gap::JoinedLate);
        }
    }
    evidence
}

/// How long before now a snapshot of CronJobs is taken as observed, so that the slots since are decided.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(5);

/// The runs of CronJobs that did not start, oldest first, as far as the objects and Events of a snapshot prove it: those after
/// the last run, since the controller never goes back.
pub fn missed_runs(snapshot: &Snapshot, now: Timestamp) -> Vec<MissedRuns> {
    let mut tracker = Tracker::new(TrackerSettings::default());
    let before = now.checked_sub(LOOK_BACK).unwrap_or(now);
    // Jobs that were created and removed before now are not in the snapshot.
    for (kind, at) in [(Kind::CronJobs, before), (Kind::Jobs, now), (Kind::CronJobEvents, now)] {
        let source = Source { kind, scope: 0 };
        if snapshot.forbidden.contains(&kind) {
            tracker.apply(source, Observation::Forbidden, at);
            continue;
        }
        tracker.apply(source, Observation::ListBegins, at);
        for object in snapshot.objects.get(&kind).into_iter().flatten() {
            tracker.apply(source, Observation::Listed(object.clone()), at);
        }
        tracker.apply(source, Observation::ListEnds, at);
    }
    tracker.watched_until(now);
    let mut missed = tracker.all_missed(now);
    missed.sort_by_key(|missed| missed.first);
    missed
}

/// True if the last state of a Job still shows its whole history: every Pod that its controller counts exists, none was
/// restarted or deleted, and the Events have not expired.
fn shows_everything(evidence: &Evidence, now: Timestamp) -> bool {
    let status = &evidence.job.status;
    let untouched =
        |pod: &Pod| !pod.from_events && pod.deletion.is_none() && pod.containers.iter().all(|c| c.restarts == 0);
    let counted = i64::from(status.failed) + i64::from(status.succeeded) + i64::from(status.active);
    let pods = i64::try_from(evidence.pods.len()).unwrap_or(i64::MAX);
    let began = evidence.job.created;
    counted > 0
        && pods >= counted
        && evidence.pods.iter().all(untouched)
        && !status
            .conditions
            .iter()
            .any(|condition| &*condition.kind == "Suspended")
        && began.is_some_and(|began| now.duration_since(began) < EVENT_LIFETIME)
}

#[cfg(test)]
mod tests {
    use job_event::notice::MissReason;
    use serde_json::{Value, json};

    use job_watch::Object;

    use super::*;

    const NOW: &str = "2026-11-23T17:00:00Z";

    fn snapshot(pods: &[Value], failed: i32, created: &str) -> Vec<Evidence> {
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u", "creationTimestamp": created},
            "spec": {"backoffLimit": 0}, "status": {"failed": failed, "conditions": [
                {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]}});
        let pods = pods
            .iter()
            .map(|pod| Object::Pod(serde_json::from_value(pod.clone()).unwrap()));
        let mut snapshot = Snapshot::default();
        let job = Object::Job(serde_json::from_value(job).unwrap());
        snapshot.objects.insert(Kind::Jobs, vec![job]);
        snapshot.objects.insert(Kind::Pods, pods.collect());
        evidence(snapshot, NOW.parse().unwrap())
    }

    fn pod(restarts: i32) -> Value {
        json!({"metadata": {"name": "j-1", "namespace": "n", "uid": "p",
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "restartCount": restarts,
                "state": {"terminated": {"exitCode": 3, "containerID": "c"}}}]}})
    }

    #[test]
    fn a_job_whose_pods_all_exist_lacks_nothing() {
        let evidence = snapshot(&[pod(0)], 1, "2026-11-23T16:30:00Z");
        assert_eq!(evidence.len(), 1);
        assert_eq!(evidence[0].pods.len(), 1);
        assert_eq!(evidence[0].gaps, []);
    }

    #[test]
    fn a_job_with_missing_history_has_a_gap() {
        for (pods, failed, created) in [
            (&[pod(0)][..], 2, "2026-11-23T16:30:00Z"),
            (&[pod(1)], 1, "2026-11-23T16:30:00Z"),
            (&[pod(0)], 1, "2026-11-23T15:59:00Z"),
            (&[], 0, "2026-11-23T16:30:00Z"),
        ] {
            assert_eq!(snapshot(pods, failed, created)[0].gaps, [Gap::JoinedLate]);
        }
    }

    #[test]
    fn forbidden_resources_are_gaps() {
        let mut snapshot = Snapshot::default();
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "u"}});
        snapshot
            .objects
            .insert(Kind::Jobs, vec![Object::Job(serde_json::from_value(job).unwrap())]);
        snapshot.forbidden = [Kind::Pods, Kind::PodEvents].into();
        let evidence = super::evidence(snapshot, NOW.parse().unwrap());
        assert_eq!(evidence[0].gaps, [Gap::PodsForbidden, Gap::EventsForbidden]);
    }

    /// The missed runs of an every-minute CronJob with this spec and status, whose generation is `generation`.
    fn missed(generation: i64, spec: &Value, status: &Value) -> Vec<(MissReason, u64)> {
        let cronjob = json!({"metadata": {"name": "c", "namespace": "n", "uid": "c", "generation": generation,
            "creationTimestamp": "2026-11-23T10:00:00Z"}, "spec": spec, "status": status});
        let mut snapshot = Snapshot::default();
        let cronjob = Object::CronJob(serde_json::from_value(cronjob).unwrap());
        snapshot.objects.insert(Kind::CronJobs, vec![cronjob]);
        let missed = missed_runs(&snapshot, NOW.parse().unwrap());
        missed.into_iter().map(|missed| (missed.reason, missed.count)).collect()
    }

    #[test]
    fn runs_after_the_last_one_are_missed() {
        let spec = json!({"schedule": "* * * * *"});
        let last = |time: &str| json!({"lastScheduleTime": format!("2026-11-23T{time}Z")});
        // 16:51 to 16:58; the grace of 16:59 is not over.
        assert_eq!(missed(1, &spec, &last("16:50:00")), [(MissReason::ControllerLate, 8)]);
        assert_eq!(missed(1, &spec, &last("16:59:00")), []);
        // It may have been suspended: those of the last minutes are certain.
        assert_eq!(
            missed(7, &spec, &last("16:50:00")),
            [(MissReason::ControllerLate, 1); 3]
        );
        let forbid = json!({"schedule": "0 * * * *", "concurrencyPolicy": "Forbid"});
        let running = json!({"lastScheduleTime": "2026-11-23T15:00:00Z", "active": [{"name": "c-1"}]});
        assert_eq!(missed(1, &forbid, &running), [(MissReason::ConcurrencyForbidden, 1)]);
    }

    #[test]
    fn a_suspended_or_invalid_schedule_is_not_late() {
        let last = json!({"lastScheduleTime": "2026-11-23T16:00:00Z"});
        assert_eq!(missed(2, &json!({"schedule": "* * * * *", "suspend": true}), &last), []);
        assert_eq!(
            missed(1, &json!({"schedule": "* * *"}), &last),
            [(MissReason::InvalidSchedule, 1)]
        );
    }
}
