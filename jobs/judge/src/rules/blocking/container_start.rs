//! Images that could not be pulled, and containers that could not be created or started.

use job_event::evidence::Pod;

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::image;
use crate::rules::start::{self, failed_start, waiting};

/// Evidence: a latched waiting reason of the image family on a container that never started; or, for a Pod that was seen
/// too late for that, an Event of its pull.
pub(super) fn image_not_pulled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let (container, message) = waiting(pod, image::is_image_reason)
        .or_else(|| failed_start(case, pod, |event| image::is_image_event(&event.reason, &event.message)))?;
    Some(Finding::on(Cause::ImagePull, pod).container(container).message(message))
}

/// The container could not be created or started. Evidence: a latched waiting reason on a container that never started; or,
/// for a Pod that was seen too late for that, the Event `Failed`. The message decides why.
pub(super) fn container_not_created<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let on = |cause, (container, message)| {
        let message = start::message(case, pod, container, message);
        Finding::on(cause, pod).container(container).message(message)
    };
    let not_configured = |found| start::not_configured(on(Cause::ContainerConfig, found));
    let not_started = |found| start::not_started(on(Cause::ContainerStart, found));
    waiting(pod, start::is_config_reason)
        .map(not_configured)
        .or_else(|| waiting(pod, start::is_start_reason).map(not_started))
        .or_else(|| failed_start(case, pod, start::is_config_event).map(not_configured))
        .or_else(|| failed_start(case, pod, start::is_start_event).map(not_started))
}
