//! Recordings of a real Kubernetes 1.37.2 cluster, of Jobs that make no progress, of Jobs that complete, and of CronJobs.

use std::fs::File;
use std::path::Path;

use job_event::Outcome;
use job_judge::{Cause, judge_at, stall};
use job_tracker::TrackerSettings;
use job_tracker::replay::{Replay, decompressed, replay};

/// The stall of each Job at the end of its recording, or how it ended.
#[test]
fn jobs_of_kubernetes_1_37_have_the_expected_stalls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes-1.37");
    let waits = |cause| (Outcome::Running, Some(cause));
    for (name, expected) in [
        ("running-fine", (Outcome::Succeeded, None)),
        ("slow-but-moving", (Outcome::Succeeded, None)),
        ("stuck-crashloop", waits(Cause::NonZeroExit)),
        ("stuck-gated", waits(Cause::SchedulingGated)),
        ("stuck-heals-configmap", (Outcome::Succeeded, None)),
        ("stuck-imagepull", waits(Cause::ImagePull)),
        ("stuck-missing-configmap", waits(Cause::ContainerConfig)),
        ("stuck-missing-secret-volume", waits(Cause::VolumeUnavailable)),
        ("stuck-quota", waits(Cause::QuotaExceeded)),
        ("stuck-sidecar", waits(Cause::SidecarBlockedCompletion)),
        ("stuck-suspended", (Outcome::Suspended, None)),
        ("stuck-unschedulable", waits(Cause::Unschedulable)),
    ] {
        let path = folder.join(format!("{name}.jsonl.gz"));
        let text = decompressed(File::open(&path).unwrap()).unwrap();
        let Replay { ended, unfinished, end } = replay(text, TrackerSettings::default()).unwrap();
        let jobs: Vec<_> = ended.into_iter().chain(unfinished).collect();
        assert_eq!(jobs.len(), 1, "{name}");
        let stall = stall(&jobs[0], end).map(|stall| stall.cause);
        assert_eq!((judge_at(&jobs[0], end).outcome, stall), expected, "{name}");
    }
}
