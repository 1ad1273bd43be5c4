//! Batches, acknowledgements, metrics and errors of the processor.

use std::sync::Arc;

use collector_data::{Outcome, Payload, Signal};
use collector_runtime::component::Processor;
use collector_testing::contract::{self, Subject};
use collector_testing::{Host, Log, batch, one_item};
use transform_processor::factory;

fn create(host: &Host, yaml: &str) -> Box<dyn Processor> {
    host.create(&factory(), yaml)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn event_name(payload: &Payload) -> &str {
    let Payload::Logs(logs) = payload else { panic!("logs") };
    &logs[0].scope_logs[0].log_records[0].event_name
}

/// Adds a number to a text, which fails, then renames the event.
const FAILING: &str = "log_statements: ['set(log.flags, log.event_name + 1)', 'set(log.event_name, \"renamed\")']";

#[test]
fn a_failed_statement_does_not_stop_the_event() {
    let host = Host::new("transform");
    let mut transform = create(&host, FAILING);
    let (log, _guard) = Log::capture();
    for _ in 0..3 {
        let (batch, _delivery) = batch(one_item(Signal::Logs));
        let batch = transform.process(batch).unwrap();
        assert_eq!(event_name(&batch.payload), "renamed");
    }
    assert_eq!(host.metrics.sum("otelcol_processor_evaluation_errors"), Some(3));
    let text = log.text();
    assert_eq!(text.matches("evaluation failed").count(), 1, "{text}");
    assert!(text.contains("log_statements::0"), "{text}");
}

#[tokio::test]
async fn propagate_rejects_the_batch_with_the_setting() {
    let host = Host::new("transform/redact");
    let mut transform = create(&host, &format!("error_mode: propagate\n{FAILING}"));
    let (batch, delivery) = batch(one_item(Signal::Logs));
    assert!(transform.process(batch).is_none());
    let Outcome::Rejected(reason) = delivery.await else {
        panic!("not rejected")
    };
    assert!(
        reason.starts_with("processor transform/redact: log_statements::0: "),
        "{reason}"
    );
    assert_eq!(host.metrics.sum("otelcol_processor_rejected_items"), Some(1));
}

#[test]
fn data_of_a_signal_without_statements_is_not_copied() {
    let mut transform = create(&Host::new("transform"), FAILING);
    for signal in [Signal::Metrics, Signal::Traces] {
        let (batch, _delivery) = batch(one_item(signal));
        let shared = Arc::clone(&batch.payload);
        let batch = transform.process(batch).unwrap();
        assert!(Arc::ptr_eq(&batch.payload, &shared), "{signal}");
    }
}

#[test]
fn other_pipelines_do_not_see_a_change() {
    let mut transform = create(
        &Host::new("transform"),
        "log_statements: ['set(log.event_name, \"renamed\")']",
    );
    let (batch, _delivery) = batch(one_item(Signal::Logs));
    let other = batch.clone();
    let changed = transform.process(batch).unwrap();
    assert_eq!(event_name(&changed.payload), "renamed");
    assert_eq!(event_name(&other.payload), "test");
}

#[test]
fn every_wrong_statement_is_reported() {
    let yaml = "log_statements:\n- st(log.body, 1)\n- set(log.body, 1\nmetric_statements:\n- context: datapoint\n  statements:\n  - 'set(nam, 1)'\n";
    let created = Host::new("transform").create(&factory(), yaml);
    let text = created.map(drop).expect_err("an error").to_string();
    for expected in ["metric_statements::0::statements::0", "yaml:7:10:", "log_statements::"] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn every_statement_of_a_flat_list_is_checked() {
    let yaml =
        "log_statements:\n- set(log.body, 1\n- st(log.body, 1)\n- set(log.bdy, 1)\n- set(log.body, 1)\n- set(a, 1)\n";
    let created = Host::new("transform").create(&factory(), yaml);
    let text = created.map(drop).expect_err("an error").to_string();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("log_statements::")).collect();
    assert_eq!(lines.len(), 4, "{text}");
    for (line, index) in lines.iter().zip([0, 1, 2, 4]) {
        assert!(line.contains(&format!("log_statements::{index}")), "{text}");
    }
}

#[test]
fn a_list_whose_only_context_is_wrong_has_one_error() {
    let yaml = "log_statements:\n- set(log.body, 1\n- append([], 1)\n";
    let created = Host::new("transform").create(&factory(), yaml);
    let text = created.map(drop).expect_err("an error").to_string();
    assert!(
        text.contains("log_statements::0") && !text.contains("log_statements::1"),
        "{text}"
    );
}

#[test]
fn an_unknown_key_of_a_group_is_at_the_key() {
    let yaml = "log_statements:\n- context: log\n  statments: []\n";
    let created = Host::new("transform").create(&factory(), yaml);
    let text = created.map(drop).expect_err("an error").to_string();
    let expected = "yaml:3:3: log_statements::0::statments: unknown key `statments`";
    assert!(
        text.contains(expected) && text.contains("did you mean `statements`?"),
        "{text}"
    );
}

#[tokio::test]
async fn fulfils_the_contract() {
    let yaml = "log_statements: ['set(log.body, 1)']\nmetric_statements: ['set(metric.unit, \"1\")']\ntrace_statements: ['set(span.name, \"x\")']\n";
    contract::processor(&Subject::new(factory(), yaml)).await;
}
