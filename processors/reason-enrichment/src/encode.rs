//! The judgement as attributes of the event.

use job_event::attributes as attr;
use job_event::otlp::{remove, set, structure, text};
use job_event::outcome::Outcome;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde::Serialize;

use job_judge::{Cause, Judgement, Quality};

/// Writes a judgement into its event, in place of an earlier one.
pub fn write(record: &mut LogRecord, judgement: &Judgement) {
    let attributes = &mut record.attributes;
    set(attributes, text(attr::OUTCOME, judgement.outcome.as_str()));
    if judgement.outcome == Outcome::Failed {
        set(
            attributes,
            text(attr::FAILURE_REASON, judgement.reason.as_deref().unwrap_or_default()),
        );
        set(
            attributes,
            text(attr::FAILURE_MESSAGE, judgement.message.as_deref().unwrap_or_default()),
        );
    }
    write_texts(
        attributes,
        &[
            (attr::FAILURE_CAUSE, judgement.cause.map(|cause| cause.as_str())),
            (
                attr::FAILURE_CATEGORY,
                judgement.category.map(|category| category.as_str()),
            ),
            (attr::FAILURE_RETRY, judgement.retry.map(|retry| retry.as_str())),
            (attr::FAILURE_NEXT_STEP, judgement.next_step.as_deref()),
            (attr::COMPLETION_INDEX, index_of_cause(judgement)),
            (attr::FAILED_INDEXES, judgement.failed_indexes.as_deref()),
            (attr::EVIDENCE_QUALITY, Some(judgement.quality.as_str())),
        ],
    );
    write_structure(
        attributes,
        attr::FAILURE_POLICY_RULE,
        &judgement.failure_policy_rule,
        judgement.failure_policy_rule.is_none(),
    );
    write_structure(
        attributes,
        attr::ATTEMPTS,
        &judgement.attempts,
        judgement.attempts.is_empty(),
    );
    write_structure(
        attributes,
        attr::ATTEMPT_FAILURES,
        &judgement.attempt_failures,
        judgement.attempt_failures.is_empty(),
    );
    let sentence = match (attribute(attributes, attr::JOB_NAME), &judgement.summary) {
        (Some(name), summary) => format!("Job {name}: {summary}"),
        (None, summary) => summary.clone(),
    };
    record.body = Some(AnyValue {
        value: Some(Value::StringValue(sentence)),
    });
}

/// The completion index of the last attempt with the cause of the Job, if the Job is Indexed.
fn index_of_cause(judgement: &Judgement) -> Option<&str> {
    let cause = judgement.cause?;
    let mut attempts = judgement.attempts.iter().rev();
    let attempt = attempts.find(|attempt| attempt.cause == Some(cause))?;
    attempt.index.as_deref()
}

/// Writes the cause `Unknown` into an event with unreadable evidence.
pub fn write_unjudged(record: &mut LogRecord) {
    let attributes = &mut record.attributes;
    if attribute(attributes, attr::OUTCOME).as_deref() == Some(Outcome::Failed.as_str()) {
        let unknown = Cause::Unknown.info();
        write_texts(
            attributes,
            &[
                (attr::FAILURE_CAUSE, Some(unknown.name)),
                (attr::FAILURE_CATEGORY, Some(unknown.category.as_str())),
                (attr::FAILURE_RETRY, Some(unknown.retry.as_str())),
                (attr::FAILURE_NEXT_STEP, Some(unknown.next_step)),
            ],
        );
    }
    set(attributes, text(attr::EVIDENCE_QUALITY, Quality::Partial.as_str()));
}

/// Sets each attribute, or removes it if it has no value.
fn write_texts(attributes: &mut Vec<KeyValue>, texts: &[(&str, Option<&str>)]) {
    for (name, value) in texts {
        match value {
            Some(value) => set(attributes, text(name, value)),
            None => remove(attributes, name),
        }
    }
}

fn write_structure<T: Serialize>(attributes: &mut Vec<KeyValue>, name: &str, value: &T, is_empty: bool) {
    if is_empty {
        return remove(attributes, name);
    }
    set(attributes, structure(name, value));
}

fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    job_event::otlp::find_text(attributes, name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn judgement(cause: &Json, attempts: &Json) -> Judgement {
        serde_json::from_value(json!({
            "outcome": "Failed", "reason": "BackoffLimitExceeded", "message": "", "cause": cause, "category": null,
            "retry": null, "summary": "", "next_step": null, "attempts": attempts, "attempt_failures": {},
            "failure_policy_rule": null, "failed_indexes": null, "quality": "complete",
        }))
        .unwrap()
    }

    #[test]
    fn the_index_is_that_of_the_last_attempt_with_the_cause() {
        let attempt = |index: Json, outcome: &str, cause: Json| json!({"pod": "p", "uid": "u", "index": index, "outcome": outcome, "cause": cause});
        let attempts = json!([
            attempt(json!("1"), "failed", json!("NonZeroExit")),
            attempt(json!("4"), "failed", json!("NonZeroExit")),
            attempt(json!("5"), "failed", json!("OutOfMemory")),
            attempt(json!("6"), "succeeded", Json::Null),
        ]);
        let index = |judgement: &Judgement| index_of_cause(judgement).map(str::to_owned);
        assert_eq!(index(&judgement(&json!("NonZeroExit"), &attempts)), Some("4".into()));
        assert_eq!(index(&judgement(&json!("OutOfMemory"), &attempts)), Some("5".into()));
        assert_eq!(index(&judgement(&json!("ImagePull"), &attempts)), None);
        assert_eq!(index(&judgement(&Json::Null, &attempts)), None, "not failed");
        let not_indexed = json!([attempt(Json::Null, "failed", json!("NonZeroExit"))]);
        assert_eq!(index(&judgement(&json!("NonZeroExit"), &not_indexed)), None);
    }
}
