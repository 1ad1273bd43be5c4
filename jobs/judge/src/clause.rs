//! Fills the placeholders of a clause from a finding: `{container} {exit}{message}`.

use std::fmt::Write;

use job_event::evidence::ContainerRole;

use crate::finding::{Beside, Finding};
use crate::quote::{Origin, one_line, quoted};
use crate::rules::{exit, windows};

/// The most characters of an image's name.
const MAX_IMAGE: usize = 200;

/// The clause with its placeholders filled, without a full stop.
///
/// `{container}`, `{pod}`, `{node}` and `{image}` name an object; `{work}` is the container that finished; `{exit}` is the exit
/// code with its signal or its name on Windows, `{since}` the time since when the node has not been ready. `{message}` is the
/// quoted message with a colon before it, or nothing.
pub(crate) fn fill(clause: &str, finding: &Finding<'_>) -> String {
    let mut text = String::with_capacity(clause.len() + finding.message.map_or(0, str::len).min(MAX_IMAGE));
    for part in clause.split('{') {
        match part.split_once('}') {
            Some((placeholder, rest)) => {
                push(&mut text, placeholder, finding);
                text.push_str(rest);
            }
            None => text.push_str(part),
        }
    }
    text
}

fn push(text: &mut String, placeholder: &str, finding: &Finding<'_>) {
    // Writing to a String cannot fail.
    let _ = match (placeholder, finding) {
        (
            "container",
            Finding {
                container: Some(container),
                ..
            },
        ) => {
            let role = match container.role {
                ContainerRole::Main => "container",
                ContainerRole::Init => "init container",
                ContainerRole::Sidecar => "sidecar",
            };
            write!(text, "{role} {}", container.name)
        }
        ("container", _) => write!(text, "a container"),
        ("work", _) => match finding.beside {
            Some(Beside::Finished(work)) => write!(text, "container {}", work.name),
            _ => write!(text, "the main container"),
        },
        ("pod", Finding { pod: Some(pod), .. }) => write!(text, "Pod {}", pod.name),
        ("pod", _) => write!(text, "a Pod"),
        ("node", _) => match finding.pod.and_then(|pod| pod.node.as_deref()) {
            Some(node) => write!(text, "node {node}"),
            None => write!(text, "its node"),
        },
        (
            "image",
            Finding {
                container: Some(container),
                ..
            },
        ) => write!(text, "{}", one_line(&container.image, MAX_IMAGE)),
        (
            "exit",
            Finding {
                exit_code: Some(code), ..
            },
        ) => match (
            exit::signal_of(*code).and_then(exit::signal_name),
            windows::status(*code),
        ) {
            (Some(name), _) => write!(text, "exited with code {code} (SIG{name})"),
            (None, Some(status)) => write!(text, "exited with code {code} ({:#010X}, {})", status.code, status.name),
            (None, None) => write!(text, "exited with code {code}"),
        },
        ("exit", _) => write!(text, "ended"),
        ("since", _) => match finding.pod.and_then(|pod| pod.node_outage) {
            Some(outage) => write!(text, "{}", outage.since),
            None => write!(text, "an unknown time"),
        },
        ("message", _) => push_messages(text, finding),
        _ => write!(text, "{{{placeholder}}}"),
    };
}

/// `: “MESSAGE”`, and `; the autoscaler reported “MESSAGE”`.
fn push_messages(text: &mut String, finding: &Finding<'_>) -> std::fmt::Result {
    if let Some(message) = finding.message.filter(|message| !message.trim().is_empty()) {
        let quote = quoted(message, origin(finding, message), text);
        write!(text, ": {quote}")?;
    }
    match finding.autoscaler {
        Some(event) => {
            let quote = quoted(&event.message, Origin::Cluster, text);
            write!(text, "; the autoscaler reported {quote}")
        }
        None => Ok(()),
    }
}

/// The state of the other container, to follow a clause that does not name it; in the present tense if it is `unfinished`.
pub(crate) fn beside(finding: &Finding<'_>, unfinished: bool) -> String {
    let keeps = if unfinished { "keeps" } else { "kept" };
    match finding.beside {
        None => String::new(),
        Some(Beside::Finished(work)) => format!("; container {} finished with code 0", work.name),
        Some(Beside::Running(other)) => format!("; container {} {keeps} the Pod running", other.name),
        Some(Beside::Failed(other, end)) => fill(
            "; {container} {exit}",
            &Finding::of(finding.cause).container(other).termination(end),
        ),
    }
}

/// The origin of the message: a termination message is the program's own, unless the container runtime could not start or
/// find the container and wrote it (`toCRIContainerStatus` of containerd, `dockershim`, the kubelet).
fn origin(finding: &Finding<'_>, message: &str) -> Origin {
    let is_own = finding.termination.is_some_and(|end| {
        let by_runtime = ["StartError", "ContainerCannotRun", "ContainerStatusUnknown"].contains(&&*end.reason);
        *end.message == *message && !by_runtime
    });
    match is_own {
        true => Origin::Program,
        false => Origin::Cluster,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::CAUSES;

    #[test]
    fn every_clause_reads_well_without_evidence() {
        for info in CAUSES.iter().filter(|info| !info.clause.contains("{image}")) {
            let text = fill(info.clause, &Finding::of(info.cause));
            assert!(!text.contains(['{', '}']) && !text.ends_with(' '), "{text}");
        }
    }
}
