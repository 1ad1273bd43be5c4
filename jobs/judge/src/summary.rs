//! The sentence for the person who is paged: how the Job ended, with the numbers that matter, and why.

use job_event::Outcome;
use job_event::evidence::{Container, ContainerRole, NodeOutage};

use crate::attempts::{AttemptOutcome, PodAttempt};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::quote::{one_line, quoted, span};
use crate::rules::{exit, policy};
use crate::world::World;

/// The most characters of a summary. What the API server takes stays below it.
const MAX_SUMMARY: usize = 2000;

/// One or two sentences on what became of the Job, on one line. `attempts` in the order of their ends.
pub fn summary(
    world: &World<'_>,
    outcome: Outcome,
    finding: Option<&Finding<'_>>,
    attempts: &[PodAttempt<'_>],
) -> String {
    // Names stand in it as they are; the API server takes only harmless ones, but a recording may hold anything.
    one_line(&sentences(world, outcome, finding, attempts), MAX_SUMMARY)
}

fn sentences(
    world: &World<'_>,
    outcome: Outcome,
    finding: Option<&Finding<'_>>,
    attempts: &[PodAttempt<'_>],
) -> String {
    match outcome {
        Outcome::Succeeded => completed(world, attempts),
        Outcome::Failed => match finding {
            Some(finding) => failed(world, finding, attempts),
            None => "Failed.".into(),
        },
        Outcome::Deleted => format!("Deleted{}, before it had ended.", after(world)),
        Outcome::Replaced => match &world.job().cronjob {
            Some(cronjob) => format!(
                "Deleted{} to make room for the next run of CronJob {} (concurrencyPolicy Replace).",
                after(world),
                cronjob.name
            ),
            None => format!("Deleted{} to make room for the next run.", after(world)),
        },
        Outcome::Running => "Has not ended.".into(),
        Outcome::Suspended => "Suspended.".into(),
        Outcome::Unmanaged => format!(
            "Run by another controller ({}), which has said nothing yet.",
            world.job().spec.managed_by.as_deref().unwrap_or("managedBy")
        ),
    }
}

/// ` after 10 s`, or nothing if it never started.
fn after(world: &World<'_>) -> String {
    world
        .duration()
        .map(|duration| format!(" after {}", span(duration.as_secs_f64())))
        .unwrap_or_default()
}

fn completed(world: &World<'_>, attempts: &[PodAttempt<'_>]) -> String {
    let mut text = format!("Completed{}.", after(world));
    let failures: Vec<&Finding<'_>> = attempts.iter().filter_map(|attempt| attempt.finding.as_ref()).collect();
    if let Some(last) = failures.last() {
        let which = match failures.len() {
            1 => "1 attempt failed on the way".to_owned(),
            count => format!("{count} attempts failed on the way, the last one so"),
        };
        text.push_str(&format!(" {which}: {}.", why(last)));
    }
    text
}

fn failed(world: &World<'_>, finding: &Finding<'_>, attempts: &[PodAttempt<'_>]) -> String {
    let job = world.job();
    // A Pod that is being deleted and stands yet is the obstacle, and no attempt before it.
    let is_obstacle = |attempt: &PodAttempt<'_>| {
        let same = finding.pod.is_some_and(|pod| pod.uid == attempt.pod.uid);
        same && matches!(finding.cause, Cause::StuckTerminating | Cause::NodeLost)
            && world.reason() == "DeadlineExceeded"
    };
    let failures = attempts
        .iter()
        .filter(|attempt| attempt.outcome == AttemptOutcome::Failed && !is_obstacle(attempt))
        .count();
    let lead = match world.reason() {
        "DeadlineExceeded" => deadline_lead(world, finding, failures),
        "BackoffLimitExceeded" => {
            let limit = match (job.spec.backoff_limit, job.spec.backoff_limit_per_index) {
                (_, Some(limit)) => format!(" (backoffLimitPerIndex {limit})"),
                (Some(limit), None) => format!(" (backoffLimit {limit})"),
                (None, None) => String::new(),
            };
            match failures {
                0 => format!("Failed for its backoffLimit{limit}: "),
                1 => format!("Failed after 1 attempt{limit}: "),
                count => format!("Failed after {count} attempts{limit}: "),
            }
        }
        "PodFailurePolicy" => match job.verdict().and_then(|verdict| policy::rule(&verdict.message)) {
            Some(rule) => format!("Failed at once by rule {rule} of its podFailurePolicy: "),
            None => "Failed at once by its podFailurePolicy: ".to_owned(),
        },
        "FailedIndexes" => format!("{} failed: ", failed_indexes(world)),
        "MaxFailedIndexesExceeded" => format!(
            "{} failed, more than allowed{}: ",
            failed_indexes(world),
            job.spec
                .max_failed_indexes
                .map(|max| format!(" (maxFailedIndexes {max})"))
                .unwrap_or_default()
        ),
        "" => "Failed without a reason given: ".to_owned(),
        other => format!("Failed for {}: ", one_line(other, 100)),
    };
    let mut text = format!("{lead}{}.", why(finding));
    if let (Some(index), Some(_)) = (
        finding.pod.and_then(|pod| pod.index.as_deref()),
        matches!(world.reason(), "BackoffLimitExceeded" | "DeadlineExceeded").then_some(()),
    ) {
        text.push_str(&format!(" That was index {}.", one_line(index, 20)));
    }
    if !world.evidence.gaps.is_empty() {
        text.push_str(" Some of the evidence is missing.");
    }
    text
}

fn deadline_lead(world: &World<'_>, finding: &Finding<'_>, failures: usize) -> String {
    let limit = match world.job().spec.active_deadline_seconds {
        Some(seconds) => format!("its limit (activeDeadlineSeconds {seconds})"),
        None => "its limit (activeDeadlineSeconds)".to_owned(),
    };
    let time = match world.duration() {
        Some(duration) => span(duration.as_secs_f64()),
        None => "an unknown time".to_owned(),
    };
    let verb = match finding.cause {
        Cause::RanTooLong | Cause::SidecarBlockedCompletion => "Ran",
        _ => "Was given up after",
    };
    let tries = match failures {
        0 => String::new(),
        1 => " and 1 failed attempt".to_owned(),
        count => format!(" and {count} failed attempts"),
    };
    format!("{verb} {time}, {limit}{tries}: ")
}

fn failed_indexes(world: &World<'_>) -> String {
    let list = world.job().status.failed_indexes.as_deref().unwrap_or_default();
    let list = one_line(list, 60);
    let of = world
        .job()
        .spec
        .completions
        .map(|all| format!(" of {all}"))
        .unwrap_or_default();
    if list.is_empty() {
        "Indexes".to_owned()
    } else if list.contains([',', '-']) {
        format!("Indexes {list}{of}")
    } else {
        format!("Index {list}{of}")
    }
}

/// The cause as a clause with what is known of it, without a full stop.
pub fn why(finding: &Finding<'_>) -> String {
    let container = || match finding.container {
        Some(container) => container_name(container),
        None => "a container".to_owned(),
    };
    let pod = || match finding.pod {
        Some(pod) => format!("Pod {}", pod.name),
        None => "a Pod".to_owned(),
    };
    let node = || match finding.pod.and_then(|pod| pod.node.as_deref()) {
        Some(node) => format!("node {node}"),
        None => "its node".to_owned(),
    };
    let said = match finding.message {
        Some(message) if !message.trim().is_empty() => format!(": {}", quoted(without_prefix(message))),
        _ => String::new(),
    };
    let exit = || match finding.exit_code {
        Some(code) => exit_text(code),
        None => "ended".to_owned(),
    };
    match finding.cause {
        Cause::NonZeroExit => format!("{} {}{said}", container(), exit()),
        Cause::Crashed if is_end(finding, "seccomp killed") => format!(
            "{} was killed for a system call that its seccomp profile forbids{said}",
            container()
        ),
        Cause::Crashed => format!("{} crashed, it {}{said}", container(), exit()),
        Cause::ProbeFailed => format!("{} was killed for a failed probe{said}", container()),
        Cause::Killed => format!(
            "{} {}, and nothing tells who sent the signal{said}",
            container(),
            exit()
        ),
        Cause::OutOfMemory if !is_end(finding, "OOMKilled") => {
            format!("{} was killed because {} ran out of memory{said}", container(), node())
        }
        Cause::OutOfMemory => format!("{} was killed for using more memory than it may{said}", container()),
        Cause::EphemeralStorageExceeded => format!("{} was evicted for using too much local storage{said}", pod()),
        Cause::Unschedulable => match finding.message {
            Some(_) => format!("{} found no node{said}", pod()),
            None => format!("{} had no node, and no scheduler said why", pod()),
        },
        Cause::DeviceUnavailable => format!("a device that {} asks for was not to be had{said}", pod()),
        Cause::QuotaExceeded => format!("no Pod could be created for lack of quota{said}"),
        Cause::ImagePull => match finding
            .container
            .map(|container| &*container.image)
            .filter(|i| !i.is_empty())
        {
            Some(image) => format!(
                "image {} could not be pulled{said}; {} never started",
                one_line(image, 200),
                container()
            ),
            None => format!("the image of {} could not be pulled{said}", container()),
        },
        Cause::ContainerConfig => format!("{} could not be configured{said}", container()),
        Cause::ContainerStart => match finding.exit_code {
            Some(code @ (126 | 127)) => {
                let what = if code == 126 { "not executable" } else { "not found" };
                format!("{} exited with code {code}: a command was {what}{said}", container())
            }
            _ => format!("{} could not be started{said}", container()),
        },
        Cause::VolumeUnavailable => format!("a volume of {} could not be had{said}", pod()),
        Cause::SidecarBlockedCompletion => format!(
            "the work was done, but {} was still running and kept the Pod alive",
            container()
        ),
        Cause::AdmissionDenied => format!("no Pod could be created{said}"),
        Cause::SchedulingGated => format!("{} was held back by a scheduling gate", pod()),
        Cause::Preempted => format!("{} had to make room for one of higher priority{said}", pod()),
        Cause::PodDeleted => format!("somebody deleted {}", pod()),
        Cause::NodePressure => format!("{} was evicted because {} ran short{said}", pod(), node()),
        Cause::NodeDrained => format!("{} was evicted from {}{said}", pod(), node()),
        Cause::NodeLost => match (finding.container, finding.pod.and_then(|pod| pod.node_outage)) {
            (Some(_), _) => format!("{} lost {} of {}{said}", node(), container(), pod()),
            (None, Some(NodeOutage { since, over: false, .. })) => {
                format!("{} had not been ready since {since}, and {} was on it", node(), pod())
            }
            (None, _) => format!("{} lost {}{said}", node(), pod()),
        },
        Cause::NodeShutdown => format!("{} was ended because {} was shutting down{said}", pod(), node()),
        Cause::NodeRejected => format!("{} refused {}{said}", node(), pod()),
        Cause::SandboxFailed => format!("the sandbox or network of {} could not be set up{said}", pod()),
        Cause::StuckTerminating => format!("{} was being deleted and would not go{said}", pod()),
        Cause::RanTooLong => ran_too_long(finding),
        Cause::SlowStart => format!("{} had not started yet, and nothing tells of an error", container()),
        Cause::NoPodsCreated => format!("no Pod was ever created, and nothing tells why{said}"),
        Cause::Unknown => format!("the evidence does not tell why{said}"),
    }
}

/// Whether the end that was found has that reason.
fn is_end(finding: &Finding<'_>, reason: &str) -> bool {
    finding.termination.is_some_and(|end| &*end.reason == reason)
}

fn ran_too_long(finding: &Finding<'_>) -> String {
    match (finding.container, finding.pod) {
        (Some(container), _) => format!("{} was still running", container_name(container)),
        (None, Some(pod)) => format!("Pod {} ran longer than its own activeDeadlineSeconds", pod.name),
        (None, None) => "it was not finished in time".to_owned(),
    }
}

fn container_name(container: &Container) -> String {
    match container.role {
        ContainerRole::Main => format!("container {}", container.name),
        ContainerRole::Init => format!("init container {}", container.name),
        ContainerRole::Sidecar => format!("sidecar {}", container.name),
    }
}

/// `exited with code 1`, `exited with code 139 (SIGSEGV)`.
fn exit_text(code: i32) -> String {
    match exit::signal_of(code).and_then(exit::signal_name) {
        Some(name) => format!("exited with code {code} (SIG{name})"),
        None => format!("exited with code {code}"),
    }
}

/// Without what the control plane prefixes and a person need not read.
fn without_prefix(message: &str) -> &str {
    let message = message
        .strip_prefix("(combined from similar events): ")
        .unwrap_or(message);
    let message = message.strip_prefix("Error creating: ").unwrap_or(message);
    let message = message.strip_prefix("Pod was rejected: ").unwrap_or(message);
    // `0/3 nodes are available: WHY. preemption: ...`: nobody asked for a preemption.
    let message = match message.split_once(" preemption: ") {
        Some((why, _)) if why.contains(" nodes are available: ") => why
            .trim_end_matches(" still not schedulable,")
            .trim_end_matches(" no new claims to deallocate,"),
        _ => message,
    };
    // `Back-off pulling image "I": ErrImagePull: WHY`
    match message.split_once(": ErrImagePull: ") {
        Some((backoff, why)) if backoff.starts_with("Back-off pulling image") => why,
        _ => message,
    }
}
