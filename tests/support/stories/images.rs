//! Images that cannot be pulled.

use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{status, unknown_end, waiting};
use super::pending::stuck;
use super::story::{DEADLINE, Story};

const IMAGE: &str = "registry.example/app:9";

pub(super) fn stories() -> Vec<Story> {
    let mut stories = missing();
    stories.extend(refused());
    stories.extend([image_of_an_init_container(), image_of_a_second_try()]);
    stories
}

fn backed_off(why: &str) -> String {
    format!("Back-off pulling image \"{IMAGE}\": {why}")
}

/// Images that no registry has.
fn missing() -> Vec<Story> {
    let not_found = format!(
        "failed to pull and unpack image \"{IMAGE}\": failed to resolve reference \"{IMAGE}\": {IMAGE}: not found"
    );
    let crio = format!(
        "unable to pull image or OCI artifact: pull image err: initializing source docker://{IMAGE}: reading manifest 9 in \
         {IMAGE}: manifest unknown"
    );
    vec![
        stuck(
            "image-not-found",
            Cause::ImagePull,
            &[
                ("ErrImagePull", &not_found),
                ("ImagePullBackOff", &backed_off(&format!("ErrImagePull: {not_found}"))),
            ],
            &[
                ("Failed", &format!("Failed to pull image \"{IMAGE}\": {not_found}")),
                ("Failed", "Error: ErrImagePull"),
            ],
        )
        .attempts(&[])
        .retry(Retry::No),
        stuck(
            "image-not-found-crio",
            Cause::ImagePull,
            &[
                ("ErrImagePull", &crio),
                ("ImagePullBackOff", &backed_off(&format!("ErrImagePull: {crio}"))),
            ],
            &[],
        )
        .retry(Retry::No),
    ]
}

/// Images that the kubelet or the container runtime refuses.
fn refused() -> Vec<Story> {
    let registry = format!("image pull failed for {IMAGE} because the registry is unavailable: dial tcp: i/o timeout");
    let signature = format!(
        "image pull failed for {IMAGE} because the signature validation failed: Source image rejected: A signature was \
         required, but no signature exists"
    );
    let never = format!("Container image \"{IMAGE}\" is not present with pull policy of Never");
    let invalid = "Failed to apply default image tag \"Bad:::name\": couldn't parse image name \"Bad:::name\": invalid \
                   reference format: repository name (library/Bad:::name) must be lowercase";
    let inspect = format!("Failed to inspect image \"{IMAGE}\": rpc error: code = Unknown desc = layer not known");
    vec![
        stuck(
            "image-never",
            Cause::ImagePull,
            &[("ErrImageNeverPull", &never)],
            &[("ErrImageNeverPull", &never), ("Failed", "Error: ErrImageNeverPull")],
        )
        .attempts(&[])
        .retry(Retry::No),
        stuck(
            "image-invalid",
            Cause::ImagePull,
            &[("InvalidImageName", invalid)],
            &[("InspectFailed", invalid), ("Failed", "Error: InvalidImageName")],
        )
        .retry(Retry::No),
        stuck(
            "image-registry-unavailable",
            Cause::ImagePull,
            &[
                ("RegistryUnavailable", &registry),
                (
                    "ImagePullBackOff",
                    &backed_off(&format!("RegistryUnavailable: {registry}")),
                ),
            ],
            &[],
        )
        .retry(Retry::Yes),
        stuck(
            "image-signature",
            Cause::ImagePull,
            &[
                ("SignatureValidationFailed", &signature),
                (
                    "ImagePullBackOff",
                    &backed_off(&format!("SignatureValidationFailed: {signature}")),
                ),
            ],
            &[],
        )
        .retry(Retry::No),
        stuck(
            "image-inspect",
            Cause::ImagePull,
            &[("ImageInspectError", &inspect)],
            &[("InspectFailed", &inspect)],
        )
        .retry(Retry::Maybe),
    ]
}

/// The first init container gets an end; the main container keeps its state.
fn image_of_an_init_container() -> Story {
    let pod = json!({"spec": {"initContainers": [{"name": "migrate", "image": "registry.example/migrate:1"}]}});
    let states = |init: &Value| {
        [
            status("migrate", init, None, 0),
            status("main", &waiting("PodInitializing", ""), None, 0),
        ]
    };
    Story::failed("image-of-init", DEADLINE, Cause::ImagePull)
        .attempts(&[])
        .job(json!({"activeDeadlineSeconds": 20}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .at(3)
        .states(
            "a",
            "Pending",
            &states(&waiting(
                "ImagePullBackOff",
                "Back-off pulling image \"registry.example/migrate:1\"",
            )),
        )
        .warns(
            "pods/a{migrate}",
            "Failed",
            "Failed to pull image \"registry.example/migrate:1\": not found",
        )
        .at(20)
        .controller_deletes("a")
        .deadline_exceeded()
        .at(21)
        .states("a", "Pending", &states(&waiting("PodInitializing", "")))
        .states("a", "Failed", &states(&unknown_end()))
        .gone("pods/a")
        .at(22)
        .finished()
}

/// The image was present for the first attempt, which failed; for the second one it cannot be pulled.
fn image_of_a_second_try() -> Story {
    Story::failed("image-gone-on-retry", DEADLINE, Cause::ImagePull)
        .job(json!({"activeDeadlineSeconds": 60}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(4)
        .ends("a", 1, "Error")
        .at(14)
        .pod("b")
        .at(15)
        .admitted("b")
        .at(16)
        .waits("b", "ErrImagePull", "pull access denied")
        .waits("b", "ImagePullBackOff", "Back-off pulling image")
        .warns(
            "pods/b{main}",
            "Failed",
            "Failed to pull image \"registry.example/app:9\": pull access denied",
        )
        .at(60)
        .deadline("b", &unknown_end())
}
