//! Images that cannot be pulled, in the words of registries and runtimes.

use job_judge::{Cause, Retry};

use super::pending::stuck;
use super::story::Story;

/// A container whose image the registry or the runtime refuses with that error.
fn refused(name: &'static str, error: &str) -> Story {
    stuck(
        name,
        Cause::ImagePull,
        &[
            ("ErrImagePull", error),
            (
                "ImagePullBackOff",
                &format!("Back-off pulling image \"registry.example/app:9\": ErrImagePull: {error}"),
            ),
        ],
        &[],
    )
}

pub(super) fn stories() -> Vec<Story> {
    vec![
        refused(
            "image-no-platform",
            "failed to pull and unpack image \"registry.example/app:9\": no match for platform in manifest: not found",
        )
        .retry(Retry::No)
        .next_step("Build the image for the platform of the node"),
        refused(
            "image-no-platform-crio",
            "choosing image instance: no image found in manifest list for architecture \"arm64\", variant \"v8\", OS \"linux\"",
        )
        .retry(Retry::No)
        .next_step("Build the image for the platform of the node"),
        refused(
            "image-digest-with-429",
            "failed to resolve reference \"registry.example/app@sha256:0b1f429c\": registry.example/app@sha256:0b1f429c: not found",
        )
        .retry(Retry::No)
        .next_step("Check the image's name, tag and digest"),
        refused(
            "image-ecr-no-credentials",
            "Error response from daemon: Get https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/9: no basic auth \
             credentials",
        )
        .retry(Retry::No)
        .next_step("Check the credentials of the registry"),
        refused(
            "image-unknown-authority",
            "failed to do request: Head \"https://harbor.example/v2/app/manifests/9\": tls: failed to verify certificate: x509: \
             certificate signed by unknown authority",
        )
        .retry(Retry::No)
        .next_step("Check the registry's certificate"),
        refused(
            "image-plain-http",
            "failed to do request: Head \"https://10.0.0.1:5000/v2/app/manifests/9\": http: server gave HTTP response to HTTPS client",
        )
        .retry(Retry::No)
        .next_step("Serve the registry over HTTPS"),
        refused(
            "image-rate-limit",
            "failed to copy: httpReadSeeker: failed open: unexpected status code \
             https://registry-1.docker.io/v2/library/app/manifests/9: 429 Too Many Requests - Server message: toomanyrequests: You \
             have reached your unauthenticated pull rate limit",
        )
        .retry(Retry::Yes)
        .next_step("Run it again when the registry's rate limit has reset"),
        refused(
            "image-disk-full",
            "failed to pull and unpack image \"registry.example/app:9\": failed to extract layer sha256:0b1f: write /usr/lib/x: no \
             space left on device: unknown",
        )
        .retry(Retry::Maybe)
        .next_step("Free or enlarge the disk"),
        refused(
            "image-forbidden-by-code",
            "initializing source docker://registry.example/app:9: reading manifest 9 in registry.example/app: StatusCode: 403, <html>",
        )
        .retry(Retry::No)
        .next_step("Check the credentials of the registry"),
    ]
}
