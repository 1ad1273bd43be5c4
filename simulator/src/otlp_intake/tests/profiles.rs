//! Intakes with the rules of one backend, over real sockets.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::{Cumulative, Delta};

use super::super::profile::{DYNATRACE, GRAFANA_CLOUD, HONEYCOMB, NEW_RELIC, PROFILES, PROMETHEUS};
use super::super::*;
use super::{PROTO, gzip, logs, post, sum};

/// Posts to a new intake with the rules of the backend; returns the status of the response, and the intake.
async fn try_once(profile: Profile, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, OtlpIntake) {
    let intake = OtlpIntake::start_with(IntakeOptions::of(profile, "right"))
        .await
        .unwrap();
    let path = format!("{}{path}", profile.path);
    let status = post(&intake, &path, headers, body).await.0;
    (status, intake)
}

/// The right key for a backend.
fn key(profile: &Profile) -> (&'static str, String) {
    (profile.key_header, format!("{}right", profile.key_prefix))
}

#[tokio::test]
async fn backends_require_their_key_at_their_path() {
    let body = sum(Cumulative, false, 1, &[]);
    for profile in PROFILES {
        let (name, value) = key(profile);
        // The point of this body is from 1970.
        let profile = Profile { ages: None, ..*profile };
        let right = [PROTO, (name, &*value)];
        let (status, intake) = try_once(profile, "/v1/metrics", &right, &body).await;
        assert_eq!((status, intake.points().len()), (200, 1), "{}", profile.name);
        for wrong in [&[PROTO][..], &[PROTO, (name, "right!")], &[PROTO, ("x-key", "right")]] {
            let (status, intake) = try_once(profile, "/v1/metrics", wrong, &body).await;
            assert_eq!(
                (status, intake.points().len()),
                (profile.key_refused.0, 0),
                "{}",
                profile.name
            );
        }
        if !profile.path.is_empty() {
            let intake = OtlpIntake::start_with(IntakeOptions::of(profile, "right"))
                .await
                .unwrap();
            assert_eq!(
                post(&intake, "/v1/metrics", &right, &body).await.0,
                404,
                "{}",
                profile.name
            );
        }
    }
}

#[tokio::test]
async fn backends_refuse_encodings_and_sizes_as_documented() {
    let status = async |profile: Profile, path: &str, header: (&str, &str), body: &[u8]| {
        let (name, value) = key(&profile);
        let content_type = if header.0 == "content-type" { header } else { PROTO };
        let headers = [(name, &*value), content_type, header];
        let unique = if header.0 == "content-type" {
            &headers[..2]
        } else {
            &headers[..]
        };
        try_once(profile, path, unique, body).await.0
    };
    let gzipped = ("content-encoding", "gzip");
    let zstd = ("content-encoding", "zstd");
    let packed = zstd::encode_all(&logs("a")[..], 1).unwrap();
    for (profile, expected) in [
        (DATADOG, 200),
        (NEW_RELIC, 200),
        (HONEYCOMB, 200),
        (GRAFANA_CLOUD, 415),
        (DYNATRACE, 415),
    ] {
        assert_eq!(
            status(profile, "/v1/logs", zstd, &packed).await,
            expected,
            "{}",
            profile.name
        );
        assert_eq!(
            status(profile, "/v1/logs", gzipped, &gzip(&logs("a"))).await,
            200,
            "{}",
            profile.name
        );
    }
    // Prometheus accepts metrics only.
    assert_eq!(status(PROMETHEUS, "/v1/logs", gzipped, &gzip(&logs("a"))).await, 404);
    let json = ("content-type", "application/json");
    for profile in [DYNATRACE, GRAFANA_CLOUD] {
        assert_eq!(status(profile, "/v1/logs", json, b"{}").await, 415, "{}", profile.name);
    }
    let large = logs(&"x".repeat(1_000_001));
    let none = ("content-encoding", "identity");
    assert_eq!(status(NEW_RELIC, "/v1/logs", none, &large).await, 413);
    assert_eq!(status(HONEYCOMB, "/v1/logs", none, &large).await, 200);
}

#[tokio::test]
async fn backends_treat_temporality_as_documented() {
    let send = async |profile: Profile, body: Vec<u8>| {
        let (name, value) = key(&profile);
        let profile = Profile { ages: None, ..profile };
        let (status, intake) = try_once(profile, "/v1/metrics", &[PROTO, (name, &*value)], &body).await;
        assert_eq!(status, 200, "{}: the status does not show it", profile.name);
        (intake.points().len(), intake.rejected(), intake.lost().len())
    };
    let delta = || sum(Delta, true, 1, &[]);
    let total = || sum(Cumulative, true, 1, &[]);
    for (profile, of_delta, of_total) in [
        (DATADOG, (1, 0, 0), (0, 1, 0)),
        (DYNATRACE, (1, 0, 0), (0, 1, 0)),
        (NEW_RELIC, (1, 0, 0), (1, 0, 0)),
        (HONEYCOMB, (1, 0, 0), (1, 0, 0)),
        (GRAFANA_CLOUD, (0, 0, 1), (1, 0, 0)),
        (PROMETHEUS, (0, 0, 1), (1, 0, 0)),
    ] {
        assert_eq!(send(profile, delta()).await, of_delta, "{}", profile.name);
        assert_eq!(send(profile, total()).await, of_total, "{}", profile.name);
    }
    // Datadog drops old points: this one is from 1970.
    let (name, value) = key(&DATADOG);
    let (_, intake) = try_once(DATADOG, "/v1/metrics", &[PROTO, (name, &*value)], &delta()).await;
    assert_eq!((intake.points().len(), intake.lost().len()), (0, 1));
}
