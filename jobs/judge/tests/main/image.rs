//! Messages of registries and runtimes about an image: the effect of a retry and the next step.

use job_judge::{Cause, Retry};

use crate::support::*;

/// Judges a Job whose container waited with that message until the deadline.
fn check(rows: &[(&str, Retry, &str)]) {
    for (message, retry, next_step) in rows {
        for message in [
            (*message).to_owned(),
            format!("Back-off pulling image \"registry.example/app:9\": ErrImagePull: {message}"),
        ] {
            let stuck = pod("Pending", vec![waiting("main", "ErrImagePull", &message)]);
            let judgement = deadline(stuck, vec![]);
            assert_eq!(judgement.cause, Some(Cause::ImagePull), "{message}");
            assert_eq!(judgement.retry, Some(*retry), "{message}");
            let found = judgement.next_step.unwrap();
            assert!(found.contains(next_step), "{message}\n{found}");
        }
    }
}

#[test]
fn an_image_of_another_platform_needs_another_build() {
    check(&[
        (
            "rpc error: code = Unknown desc = no matching manifest for linux/arm64/v8 in the manifest list entries",
            Retry::No,
            "kubernetes.io/arch",
        ),
        (
            "failed to pull and unpack image \"registry.example/app:9\": no match for platform in manifest: not found",
            Retry::No,
            "kubernetes.io/arch",
        ),
        (
            "choosing image instance: no image found in manifest list for architecture arm64, variant \"v8\", OS linux",
            Retry::No,
            "kubernetes.io/arch",
        ),
        (
            "choosing image instance: no image found in image index for architecture \"arm64\", variant \"v8\", OS \"linux\"",
            Retry::No,
            "kubernetes.io/arch",
        ),
        (
            "no matching manifest for windows/amd64 10.0.17763 in the manifest list entries",
            Retry::No,
            "kubernetes.io/os",
        ),
        (
            "a Windows version 10.0.20348-based image is incompatible with a 10.0.17763 host",
            Retry::No,
            "platform of the node",
        ),
    ]);
}

#[test]
fn an_image_that_does_not_exist_stays_missing() {
    check(&[
        (
            "Error response from daemon: manifest for registry.example/app:9 not found: manifest unknown: manifest unknown",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "failed to pull and unpack image \"r.example/app@sha256:0b1f429c401a503d\": failed to resolve reference \
             \"r.example/app@sha256:0b1f429c401a503d\": r.example/app@sha256:0b1f429c401a503d: not found",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "name unknown: The repository with name 'team/app' does not exist in the registry with id '123456789012'",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "Error response from daemon: unknown: artifact library/app:9 not found",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "reading manifest 9 in registry.example/app: manifest unknown",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "initializing source docker://docker.io/library/app:9: (Mirrors also failed: [mirror.example/library/app:9: pinging \
             container registry mirror.example: Get \"https://mirror.example/v2/\": dial tcp 10.0.0.1:443: connect: connection \
             refused]): docker.io/library/app:9: reading manifest 9 in docker.io/library/app: manifest unknown",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "failed to resolve reference \"registry.example/app:9\": unexpected status from HEAD request to \
             https://registry.example/v2/app/manifests/9: 404 Not Found",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "Error response from daemon: pull access denied for team/app, repository does not exist or may require 'docker \
             login': denied: requested access to the resource is denied",
            Retry::No,
            "imagePullSecrets",
        ),
        (
            "failed to resolve reference \"docker.io/team/app:9\": pull access denied, repository does not exist or may require \
             authorization: server message: insufficient_scope: authorization failed",
            Retry::No,
            "imagePullSecrets",
        ),
    ]);
}

#[test]
fn credentials_that_a_registry_rejects_stay_rejected() {
    check(&[
        (
            "Error response from daemon: Get https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/9: no basic \
             auth credentials",
            Retry::No,
            "credentials",
        ),
        (
            "failed to resolve reference \"ghcr.io/team/app:9\": failed to authorize: failed to fetch anonymous token: unexpected \
             status from GET request to https://ghcr.io/token?scope=repository%3Ateam%2Fapp%3Apull&service=ghcr.io: 403 Forbidden",
            Retry::No,
            "credentials",
        ),
        (
            "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
            Retry::No,
            "credentials",
        ),
        (
            "reading manifest 9 in quay.io/team/app: unauthorized: access to the requested resource is not authorized",
            Retry::No,
            "credentials",
        ),
        (
            "unauthorized: unauthorized to access repository: team/app, action: pull: unauthorized to access repository: \
             team/app, action: pull",
            Retry::No,
            "credentials",
        ),
        (
            "initializing source docker://registry.example/app:9: reading manifest 9 in registry.example/app: StatusCode: 403, \
             <html><head><title>Forbidden",
            Retry::No,
            "credentials",
        ),
        (
            "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<html>\"",
            Retry::No,
            "credentials",
        ),
        (
            "denied: Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \
             \"projects/p/locations/eu/repositories/r\" (or it may not exist)",
            Retry::No,
            "private",
        ),
        (
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            Retry::Maybe,
            "Renew the credentials",
        ),
    ]);
}

#[test]
fn certificates_and_protocols_of_a_registry_stay_wrong() {
    check(&[
        (
            "failed to do request: Head \"https://harbor.example/v2/app/manifests/9\": tls: failed to verify certificate: x509: \
             certificate signed by unknown authority",
            Retry::No,
            "certificate",
        ),
        (
            "Get \"https://registry.example/v2/\": x509: certificate has expired or is not yet valid: current time \
             2026-11-23T12:00:00Z is after 2026-11-01T00:00:00Z",
            Retry::No,
            "certificate",
        ),
        (
            "x509: certificate is valid for ingress.local, not registry.example",
            Retry::No,
            "certificate",
        ),
        (
            "failed to do request: Head \"https://10.0.0.1:5000/v2/app/manifests/9\": http: server gave HTTP response to HTTPS client",
            Retry::No,
            "insecure",
        ),
    ]);
}

#[test]
fn a_registry_that_is_busy_or_slow_deserves_a_retry() {
    check(&[
        (
            "failed to copy: httpReadSeeker: failed open: unexpected status code \
             https://registry-1.docker.io/v2/library/app/manifests/sha256:0b1f: 429 Too Many Requests - Server message: \
             toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
            Retry::Yes,
            "rate limit",
        ),
        (
            "reading manifest 9 in docker.io/library/app: toomanyrequests: You have reached your pull rate limit",
            Retry::Yes,
            "rate limit",
        ),
        (
            "error parsing HTTP 429 response body: invalid character 'T'",
            Retry::Yes,
            "rate limit",
        ),
        ("pull QPS exceeded", Retry::Yes, "registryPullQPS"),
        (
            "failed to do request: Head \"https://10.0.0.1:5000/v2/app/manifests/9\": dial tcp 10.0.0.1:5000: i/o timeout",
            Retry::Yes,
            "network",
        ),
        (
            "failed to authorize: failed to fetch anonymous token: Get \"https://auth.docker.io/token\": net/http: TLS handshake timeout",
            Retry::Yes,
            "network",
        ),
        (
            "pulling from host r.example failed with status code [manifests 9]: 503 Service Unavailable",
            Retry::Yes,
            "network",
        ),
        (
            "received unexpected HTTP status: 502 Bad Gateway",
            Retry::Yes,
            "network",
        ),
        (
            "read tcp 10.0.0.2:40000->10.0.0.1:443: read: connection reset by peer",
            Retry::Yes,
            "network",
        ),
        (
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
            Retry::Yes,
            "network",
        ),
        ("failed to copy: unexpected EOF", Retry::Yes, "network"),
    ]);
}

#[test]
fn obstacles_of_the_node_or_the_network_may_pass() {
    check(&[
        (
            "failed to pull and unpack image \"registry.example/app:9\": failed to extract layer sha256:0b1f: mount callback \
             failed on /var/lib/containerd/tmpmounts/containerd-mount1: write /usr/lib/x: no space left on device: unknown",
            Retry::Maybe,
            "disk",
        ),
        (
            "Get \"https://registry.example/v2/\": dial tcp: lookup registry.example on 10.96.0.10:53: no such host",
            Retry::Maybe,
            "DNS",
        ),
        (
            "Get \"https://registry.example/v2/\": dial tcp 10.0.0.1:443: connect: connection refused",
            Retry::Maybe,
            "registry runs",
        ),
        (
            "Get \"https://registry.example/v2/\": proxyconnect tcp: dial tcp 10.0.0.3:3128: i/o timeout",
            Retry::Maybe,
            "proxy",
        ),
        (
            "rpc error: code = Canceled desc = context canceled",
            Retry::Maybe,
            "canceled",
        ),
        (
            "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix \
             /run/containerd/containerd.sock: connect: connection refused\"",
            Retry::Maybe,
            "container runtime",
        ),
        (
            "failed commit on ref \"layer-sha256:0b1f\": unexpected commit digest sha256:aa, expected sha256:bb: failed precondition",
            Retry::Maybe,
            "store",
        ),
        (
            "failed to register layer: Error processing tar file(exit status 1): archive/tar: invalid tar header",
            Retry::Maybe,
            "store",
        ),
        (
            "writing blob: layers from manifest don't match image configuration",
            Retry::Maybe,
            "store",
        ),
    ]);
}

#[test]
fn images_that_the_runtime_cannot_use_stay_so() {
    check(&[
        (
            "Source image rejected: Running image docker://registry.example/app:9 is rejected by policy.",
            Retry::No,
            "policy",
        ),
        (
            "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported since containerd v2.1, \
             please rebuild the image as \"application/vnd.docker.distribution.manifest.v2+json\"",
            Retry::No,
            "format",
        ),
        (
            "failed to get stream processor for application/vnd.oci.image.layer.v1.tar+zstd: no processor for media-type: unknown",
            Retry::No,
            "format",
        ),
        (
            "Failed to apply default image tag \"App:9\": couldn't parse image name \"App:9\": invalid reference format: \
             repository name must be lowercase",
            Retry::No,
            "reference",
        ),
    ]);
}

#[test]
fn registries_and_runtimes_have_policies() {
    check(&[
        (
            "short-name \"app:9\" did not resolve to an alias and no unqualified-search registries are defined in \
             \"/etc/containers/registries.conf\"",
            Retry::No,
            "host of its registry",
        ),
        (
            "unknown: current image with \"12 vulnerabilities\" cannot be pulled due to configured policy in 'Prevent images with \
             vulnerability severity of \"High\" or higher from running.'",
            Retry::No,
            "registry's policy",
        ),
        (
            "failed to unpack image on snapshotter overlayfs: unexpected media type text/html for sha256:0b1f: not found",
            Retry::Maybe,
            "proxy",
        ),
        (
            "pinging container registry registry.example: invalid character '<' looking for beginning of value",
            Retry::Maybe,
            "web page",
        ),
        (
            "failed to authorize: failed to fetch oauth token: unexpected status: 400 Bad Request",
            Retry::No,
            "credentials",
        ),
    ]);
}

#[test]
fn numbers_in_names_are_no_status_codes() {
    // The digest holds 429, 401 and 503; the port and the tag are 403 and 503.
    check(&[
        (
            "failed to resolve reference \"registry.example:503/app:403\": registry.example:503/app:403: not found",
            Retry::No,
            "name, tag and digest",
        ),
        (
            "Get \"https://registry.example:429/v2/\": dial tcp 10.4.0.1:401: connect: no route to host",
            Retry::Maybe,
            "address and port",
        ),
        (
            "something new about app@sha256:0b1f429c401a503d",
            Retry::Maybe,
            "imagePullSecrets",
        ),
    ]);
}
