//! The receiver's own metrics.

use std::time::Duration;

use crate::support::metrics::telemetry;
use collector_testing::OwnMetrics;
use job_watch::Kind;
use job_watch::watch::gap::{Recovery, WatchGap};
use kubernetes_job_receiver::telemetry::Loss;

#[test]
fn notices_are_counted_apart_from_finished_jobs() {
    let metrics = OwnMetrics::new();
    let telemetry = telemetry(&metrics);
    telemetry.notice("k8s.job.stalled");
    telemetry.notice("k8s.cronjob.missed");
    telemetry.notice_delivered();
    telemetry.notice_lost("k8s.cronjob.missed", Loss::Refused);
    assert_eq!(
        metrics.points(),
        [
            "otelcol_k8s_job_notices[event=k8s.cronjob.missed, receiver=k8s_job] 1",
            "otelcol_k8s_job_notices[event=k8s.job.stalled, receiver=k8s_job] 1",
            "otelcol_k8s_job_notices_lost[event=k8s.cronjob.missed, reason=refused, receiver=k8s_job] 1",
            "otelcol_receiver_accepted_log_records[receiver=k8s_job] 1",
            "otelcol_receiver_refused_log_records[receiver=k8s_job] 1",
        ]
    );
}

#[test]
fn counts_jobs_and_watches_by_their_outcome() {
    let metrics = OwnMetrics::new();
    let telemetry = telemetry(&metrics);
    telemetry.delivered();
    telemetry.recovered();
    telemetry.lost(1, Loss::Refused);
    telemetry.lost(2, Loss::Dropped);
    telemetry.lost(4, Loss::Gap);
    telemetry.unacknowledged(3);
    for (seconds, ending) in [(90, Recovery::Resumed), (10, Recovery::Relisted)] {
        let length = Duration::from_secs(seconds);
        telemetry.watches.gap(
            Kind::Jobs,
            WatchGap {
                length,
                recovery: ending,
            },
        );
    }
    telemetry.watches.silence(Kind::PodEvents, Duration::from_secs(30));
    assert_eq!(
        metrics.points(),
        [
            "otelcol_k8s_job_delivered[receiver=k8s_job] 1",
            "otelcol_k8s_job_lost[reason=gap, receiver=k8s_job] 4",
            "otelcol_k8s_job_lost[reason=given_up, receiver=k8s_job] 2",
            "otelcol_k8s_job_lost[reason=refused, receiver=k8s_job] 1",
            "otelcol_k8s_job_recovered[receiver=k8s_job] 1",
            "otelcol_k8s_job_unacknowledged[receiver=k8s_job] 3",
            "otelcol_k8s_job_watch_gap_seconds[by=list, receiver=k8s_job, resource=jobs] 10",
            "otelcol_k8s_job_watch_gap_seconds[by=resume, receiver=k8s_job, resource=jobs] 90",
            "otelcol_k8s_job_watch_silence_seconds[receiver=k8s_job, resource=pod events] 30",
            "otelcol_receiver_accepted_log_records[receiver=k8s_job] 1",
            "otelcol_receiver_refused_log_records[receiver=k8s_job] 3",
        ]
    );
}
