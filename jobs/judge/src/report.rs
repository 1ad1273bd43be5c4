//! One Job explained: as a record for programs and as text for people.

use std::fmt::Write;

use job_event::Evidence;
use job_event::outcome::Outcome;
use serde::Serialize;

use crate::category::{Category, Retry};
use crate::cause::Cause;
use crate::judge::{Judgement, Quality};
use crate::quote::one_line;

/// The most characters of a name, the limit of the API server.
const MAX_NAME: usize = 253;

/// One Job explained, for programs. A key without a value is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainRecord {
    /// The Job's namespace.
    pub namespace: String,
    /// The Job's name.
    pub name: String,
    /// The Job's UID.
    pub uid: String,
    /// The CronJob that controls it.
    pub cronjob: Option<String>,
    /// How the Job ended, or its state.
    pub outcome: Outcome,
    /// The verdict condition's reason, verbatim.
    pub reason: Option<String>,
    /// The cause, if the Job failed.
    pub cause: Option<Cause>,
    /// The kind of the cause.
    pub category: Option<Category>,
    /// The effect of running the Job again without a change.
    pub retry: Option<Retry>,
    /// One or two sentences for a person.
    pub summary: String,
    /// The next step, if the Job failed or has an obstacle.
    pub next_step: Option<String>,
    /// The completeness of the evidence: `complete`, `partial` or `events`.
    pub evidence: Quality,
}

impl ExplainRecord {
    /// The record of a judged Job.
    pub fn new(evidence: &Evidence, judgement: &Judgement) -> Self {
        let job = &evidence.job;
        ExplainRecord {
            namespace: job.namespace.to_string(),
            name: job.name.to_string(),
            uid: job.uid.to_string(),
            cronjob: job.cronjob.as_ref().map(|cronjob| cronjob.name.to_string()),
            outcome: judgement.outcome,
            reason: judgement.reason.clone(),
            cause: judgement.cause,
            category: judgement.category,
            retry: judgement.retry,
            summary: judgement.summary.clone(),
            next_step: judgement.next_step.clone(),
            evidence: judgement.quality,
        }
    }
}

/// One Job explained in a few lines of text, without colour, ending in a line break.
pub fn text(evidence: &Evidence, judgement: &Judgement) -> String {
    let job = &evidence.job;
    let mut text = format!(
        "{}/{}  {}",
        name(&job.namespace),
        name(&job.name),
        judgement.outcome.as_str()
    );
    if let Some(reason) = &judgement.reason {
        push(&mut text, format_args!("  {}", one_line(reason, 100)));
    }
    let owner = job.owner();
    if owner.is_controller || job.cronjob.is_some() {
        push(&mut text, format_args!("  ({} {})", name(owner.kind), name(owner.name)));
    }
    text.push('\n');
    if let (Some(cause), Some(retry)) = (judgement.cause, judgement.retry) {
        push(
            &mut text,
            format_args!(
                "  cause:    {} ({}), retry helps: {}\n",
                cause.as_str(),
                cause.category().as_str(),
                retry.as_str()
            ),
        );
    }
    push(&mut text, format_args!("  {}\n", judgement.summary));
    if !judgement.attempts.is_empty() {
        push_attempts(&mut text, judgement);
    }
    if let Some(next_step) = &judgement.next_step {
        push(&mut text, format_args!("  next:     {next_step}\n"));
    }
    if judgement.quality != Quality::Complete {
        let quality = judgement.quality.as_str();
        let gaps = serde_json::to_string(&evidence.gaps).unwrap_or_default();
        let gaps = Some(gaps).filter(|_| !evidence.gaps.is_empty()).unwrap_or_default();
        push(
            &mut text,
            format_args!("{}\n", format!("  evidence: {quality} {gaps}").trim_end()),
        );
    }
    text
}

/// A table of the attempts, columns as wide as their widest cell.
fn push_attempts(text: &mut String, judgement: &Judgement) {
    let mut rows = vec![["attempt", "container", "exit", "ended", "result"].map(str::to_owned)];
    for attempt in &judgement.attempts {
        rows.push([
            name(&attempt.pod),
            attempt.container.as_deref().map_or_else(|| "-".into(), name),
            attempt.exit_code.map_or_else(|| "-".into(), |code| code.to_string()),
            attempt.end.map_or_else(|| "-".into(), |end| end.to_string()),
            match attempt.cause {
                Some(cause) => cause.as_str().to_owned(),
                None => attempt.outcome.as_str().to_owned(),
            },
        ]);
    }
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        push(text, format_args!("    {}\n", cells.join("  ").trim_end()));
    }
}

/// A printable name. The API server accepts no other ones, but a recording may contain any.
fn name(name: &str) -> String {
    one_line(name, MAX_NAME)
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use job_event::evidence::{Job, JobOwner, OwnerRule};

    use super::*;

    #[test]
    fn the_first_line_names_an_object_that_controls_the_job() {
        for (rule, kind, expected) in [
            (
                OwnerRule::Controller,
                "ScaledJob",
                "shop/etl-x7k2p  Running  (ScaledJob etl)",
            ),
            (OwnerRule::GenerateName, "", "shop/etl-x7k2p  Running"),
        ] {
            let job = Job {
                namespace: "shop".into(),
                name: "etl-x7k2p".into(),
                owner: Some(Box::new(JobOwner {
                    rule,
                    kind: kind.into(),
                    name: "etl".into(),
                })),
                ..Default::default()
            };
            let evidence = Evidence {
                job,
                pods: vec![],
                events: vec![],
                gaps: vec![],
            };
            let text = text(&evidence, &crate::judge(&evidence));
            assert_eq!(text.lines().next(), Some(expected));
        }
    }
}
