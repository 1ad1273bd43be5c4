//! Images that could not be pulled, and containers that could not be created or started.

use job_event::MessageDetail;
use job_event::evidence::{Event, Pod};

use crate::case::{Case, telling};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::start::{self, failed_start, waiting};
use crate::rules::{image, stage};

/// Evidence: a latched waiting reason of the image family on a container that never started; or, for a Pod that was seen
/// too late for that, an Event of its pull. The message is the one of these that says most: before Kubernetes 1.32 the status
/// soon names only the image. A later Event that proves the image voids both.
pub(super) fn image_not_pulled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    pod.containers.iter().find_map(|container| {
        let waiting = container.waiting.as_deref();
        let waiting = waiting.filter(|waiting| image::is_image_reason(&waiting.reason));
        if container.started
            || waiting.is_none() && start::is_known(container)
            || stage::has_image(case, pod, container)
        {
            return None;
        }
        let is_pull = |event: &Event| image::is_image_event(&event.reason, &event.message);
        let event = telling(start::events(case, pod, container).filter(|event| is_pull(event)));
        let messages = [
            waiting.map(|waiting| &*waiting.message),
            event.map(|event| &*event.message),
        ];
        // The status wins a tie: it has the last error, and no text around it.
        let message = messages
            .into_iter()
            .rev()
            .flatten()
            .max_by_key(|message| MessageDetail::of(message))?;
        Some(Finding::on(Cause::ImagePull, pod).container(container).message(message))
    })
}

/// The container could not be created or started. Evidence: a latched waiting reason on a container that never started; or,
/// for a Pod that was seen too late for that, the Event `Failed`. The message decides why.
pub(super) fn container_not_created<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let on = |cause, (container, message), is_kind: fn(&Event) -> bool| {
        let message = start::message(case, pod, container, message, is_kind);
        Finding::on(cause, pod).container(container).message(message)
    };
    let not_configured = |found| start::not_configured(on(Cause::ContainerConfig, found, start::is_config_event));
    let not_started = |found| start::not_started(on(Cause::ContainerStart, found, start::is_start_event));
    waiting(pod, start::is_config_reason)
        .map(not_configured)
        .or_else(|| waiting(pod, start::is_start_reason).map(not_started))
        .or_else(|| failed_start(case, pod, start::is_config_event).map(not_configured))
        .or_else(|| failed_start(case, pod, start::is_start_event).map(not_started))
}
