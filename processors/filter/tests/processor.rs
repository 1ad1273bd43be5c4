//! Batches, acknowledgements, metrics and errors of the processor.

use std::sync::Arc;

use collector_data::{Batch, Outcome, Payload, Signal};
use collector_runtime::component::Processor;
use collector_testing::contract::{self, Subject};
use collector_testing::{Host, batch, one_item};
use filter_processor::factory;

const EACH_SIGNAL: [(Signal, &str, &str); 3] = [
    (Signal::Logs, "log_conditions: [log.event_name == \"test\"]", "logs"),
    (Signal::Metrics, "metrics: {datapoint: [value_int == 1]}", "datapoints"),
    (Signal::Traces, "traces: {span: [name == \"test\"]}", "spans"),
];

fn create(host: &Host, yaml: &str) -> Box<dyn Processor> {
    host.create(&factory(), yaml)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(yaml: &str) -> String {
    let created = Host::new("filter").create(&factory(), yaml);
    created.map(drop).expect_err("an error").to_string()
}

#[tokio::test]
async fn a_batch_that_becomes_empty_is_delivered_and_counted() {
    for (signal, yaml, name) in EACH_SIGNAL {
        let host = Host::new("filter/x");
        let mut filter = create(&host, yaml);
        let (batch, delivery) = batch(one_item(signal));
        assert!(filter.process(batch).is_none(), "{signal}");
        assert_eq!(delivery.await, Outcome::Delivered, "{signal}");
        let expected = format!("otelcol_processor_filter_{name}_filtered[filter=filter/x] 1");
        assert!(host.metrics.points().contains(&expected), "{:?}", host.metrics.points());
    }
}

#[test]
fn a_batch_without_a_match_is_not_copied() {
    for (signal, yaml, _) in EACH_SIGNAL {
        let yaml = yaml.replace("==", "!=");
        let mut filter = create(&Host::new("filter"), &yaml);
        let (batch, _delivery) = batch(one_item(signal));
        let shared = Arc::clone(&batch.payload);
        let batch = filter.process(batch).unwrap();
        assert!(Arc::ptr_eq(&batch.payload, &shared), "{signal}");
    }
}

#[test]
fn other_pipelines_keep_the_data_that_one_drops() {
    let mut filter = create(&Host::new("filter"), EACH_SIGNAL[0].1);
    let (batch, _delivery) = batch(one_item(Signal::Logs));
    let other: Batch = batch.clone();
    assert!(filter.process(batch).is_none());
    assert_eq!(*other.payload, one_item(Signal::Logs));
    other.ack.delivered();
}

/// One record that a condition cannot be evaluated for, with this error mode.
async fn failing(mode: &str) -> (Option<Payload>, Option<Outcome>, Host) {
    let host = Host::new("filter");
    let yaml = format!("error_mode: {mode}\nlogs: {{log_record: ['HasPrefix(flags, \"a\")']}}");
    let mut filter = create(&host, &yaml);
    let (batch, delivery) = batch(one_item(Signal::Logs));
    match filter.process(batch) {
        Some(batch) => (Some((*batch.payload).clone()), None, host),
        None => (None, Some(delivery.await), host),
    }
}

#[tokio::test]
async fn an_item_is_kept_if_a_condition_fails() {
    for mode in ["ignore", "silent"] {
        let (payload, _, host) = failing(mode).await;
        assert_eq!(payload, Some(one_item(Signal::Logs)), "{mode}");
        assert_eq!(host.metrics.sum("otelcol_processor_evaluation_errors"), Some(1));
    }
}

#[tokio::test]
async fn propagate_rejects_the_batch_with_the_setting() {
    let (payload, outcome, host) = failing("propagate").await;
    assert_eq!(payload, None);
    let Some(Outcome::Rejected(reason)) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        reason.starts_with("processor filter: logs::log_record::0: "),
        "{reason}"
    );
    assert_eq!(host.metrics.sum("otelcol_processor_rejected_items"), Some(1));
}

#[test]
fn every_wrong_condition_is_reported() {
    let text = errors("logs:\n  log_record:\n  - bdy == nil\n  - 'IsMatch(body)'\nmetrics: {metric: [nam == nil]}\n");
    for expected in [
        "yaml:3:5: logs::log_record::0:",
        "yaml:4:",
        "yaml:5:20: metrics::metric::0:",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn old_and_new_form_exclude_each_other() {
    let text = errors("logs: {log_record: [body == nil]}\nlog_conditions: [log.body == nil]\n");
    assert!(text.contains("`log_conditions` and `logs` are both set"), "{text}");
}

#[test]
fn an_unknown_context_is_named() {
    let text = errors("log_conditions: [{context: lgo, conditions: [body == nil]}]");
    assert!(
        text.contains("yaml:1:28: log_conditions::0::context: the context `lgo` is unknown"),
        "{text}"
    );
    assert!(text.contains("did you mean `log`?"), "{text}");
}

#[test]
fn a_key_of_a_group_without_a_value_keeps_its_default() {
    create(
        &Host::new("filter"),
        "log_conditions: [{context: , error_mode: , conditions: [log.body == nil]}]",
    );
}

#[tokio::test]
async fn fulfils_the_contract() {
    for (_, yaml, _) in EACH_SIGNAL {
        contract::processor(&Subject::new(factory(), yaml)).await;
    }
}
