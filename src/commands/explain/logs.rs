//! `--logs`: the end of the log of the container that failed.

use escape::is_unsafe;
use jiff::Timestamp;
use job_event::evidence::ContainerState;
use job_event::{Evidence, Outcome};
use job_judge::Judgement;
use job_judge::stall;
use job_watch::WatchError;
use job_watch::container_log::{LogQuery, log};
use kube::Client;

use super::{ContainerLog, Explained};

/// The number of lines.
const LINES: u32 = 20;
/// The most bytes to read.
const BYTES: u32 = 16 * 1024;

/// The end of the log of the failed container, or the reason why it is unavailable; nothing for a Job without a failure.
pub(super) async fn of(client: &Client, job: &Explained, now: Timestamp) -> Option<ContainerLog> {
    let Explained {
        evidence, judgement, ..
    } = job;
    if !matches!(judgement.outcome, Outcome::Failed | Outcome::Running) {
        return None;
    }
    let without = |head: String| {
        Some(ContainerLog {
            head,
            lines: Vec::new(),
        })
    };
    let Some((pod, container)) = container(evidence, judgement, now) else {
        return match judgement.outcome {
            Outcome::Failed if evidence.pods.is_empty() => without("none: no Pod of the Job exists".into()),
            Outcome::Failed => without("none: no container failed".into()),
            _ => None,
        };
    };
    let of = LogQuery {
        namespace: &evidence.job.namespace,
        pod: &pod,
        container: &container,
        previous: was_restarted(evidence, &pod, &container),
    };
    match log(client, of, LINES, BYTES).await {
        Ok(text) if text.trim().is_empty() => without(format!("container {container} of Pod {pod} wrote nothing")),
        Ok(text) => {
            let cut = text.len() >= BYTES as usize;
            let cut = if cut { ", cut after 16 KiB" } else { "" };
            Some(ContainerLog {
                head: format!("container {container} of Pod {pod}, at most the last {LINES} lines{cut}"),
                lines: text.lines().map(printable).collect(),
            })
        }
        Err(WatchError::Status { code: 404, .. }) => without(format!("none: Pod {pod} and its log are deleted")),
        Err(WatchError::Status { code: 403, message, .. }) => without(format!(
            "forbidden: {message}; required rule: {{apiGroups: [\"\"], resources: [\"pods/log\"], verbs: \
             [\"get\"]}}"
        )),
        Err(refusal) => without(format!(
            "cannot read the log of container {container} of Pod {pod}: {refusal}"
        )),
    }
}

/// The Pod and container of the latest failed attempt, else of the stall, else of the latest attempt.
fn container(evidence: &Evidence, judgement: &Judgement, now: Timestamp) -> Option<(String, String)> {
    let mut latest_first = judgement.attempts.iter().rev();
    let failed = latest_first.clone().find(|attempt| attempt.cause.is_some());
    let of_attempt = |attempt: &job_judge::JudgedAttempt| Some((attempt.pod.clone(), attempt.container.clone()?));
    failed
        .and_then(of_attempt)
        .or_else(|| stall(evidence, now)?.container)
        .or_else(|| latest_first.find_map(of_attempt))
}

/// True if the container was restarted after its failure, so that its log is that of the previous run.
fn was_restarted(evidence: &Evidence, pod: &str, container: &str) -> bool {
    let pods = evidence.pods.iter().filter(|known| &*known.name == pod);
    let mut containers = pods
        .flat_map(|pod| &pod.containers)
        .filter(|known| &*known.name == container);
    containers.any(|container| {
        !container.terminations.is_empty()
            && matches!(container.state, ContainerState::Running | ContainerState::Waiting)
    })
}

/// A line without escape sequences and other control characters, which could control the terminal.
fn printable(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // `ESC [ parameters letter` (ECMA-48, 5.4), as colours are written.
            '\u{1b}' if characters.peek() == Some(&'[') => {
                characters.next();
                while characters.next_if(|c| !('\u{40}'..='\u{7e}').contains(c)).is_some() {}
                characters.next();
            }
            '\t' => out.push('\t'),
            character if is_unsafe(character) => {}
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_cannot_control_the_terminal() {
        assert_eq!(printable("\u{1b}[31;1mERROR\u{1b}[0m\tdisk\r"), "ERROR\tdisk");
        assert_eq!(printable("\u{1b}]0;title\u{7}x\u{1b}["), "]0;titlex");
    }
}
