//! The component `attributes`.

use collector_attributes::{ActionSettings, Actions};
use collector_config::{Diagnostics, schema_of};
use collector_data::{Batch, Payload, Signal, points};
use collector_runtime::component::{Create, Factory, Processor};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the processor.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["actions"]))]
struct AttributesSettings {
    /// The changes, in order.
    #[schemars(length(min = 1))]
    actions: Vec<ActionSettings>,
}

/// Changes the attributes of every log record, point and span, as the Collector's `attributesprocessor`.
#[derive(Debug)]
struct Attributes {
    actions: Actions,
}

/// The processor's factory.
pub fn factory() -> Factory<dyn Processor> {
    Factory {
        type_name: "attributes",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Changes the attributes of log records, metric points and spans",
        schema: schema_of::<AttributesSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Processor>, Diagnostics> {
    let settings: AttributesSettings = create.settings.read()?;
    let actions = ActionSettings::read(settings.actions, create.settings, "actions")?;
    Ok(Box::new(Attributes { actions }))
}

impl Processor for Attributes {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        let change = |attributes: &mut Vec<KeyValue>| self.actions.apply(attributes);
        match batch.payload_mut() {
            Payload::Logs(resources) => resources
                .iter_mut()
                .flat_map(|resource| &mut resource.scope_logs)
                .flat_map(|scope| &mut scope.log_records)
                .for_each(|record| change(&mut record.attributes)),
            Payload::Metrics(resources) => resources
                .iter_mut()
                .flat_map(|resource| &mut resource.scope_metrics)
                .flat_map(|scope| &mut scope.metrics)
                .filter_map(|metric| metric.data.as_mut())
                .for_each(|data| points::each_attributes(data, change)),
            Payload::Traces(resources) => resources
                .iter_mut()
                .flat_map(|resource| &mut resource.scope_spans)
                .flat_map(|scope| &mut scope.spans)
                .for_each(|span| change(&mut span.attributes)),
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use collector_testing::contract::{self, Subject};
    use collector_testing::{Host, batch, one_item};
    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::*;

    fn process(yaml: &str, signal: Signal) -> Payload {
        let mut processor = Host::new("attributes").create(&factory(), yaml).unwrap();
        let (batch, _) = batch(one_item(signal));
        let batch = processor.process(batch).unwrap();
        (*batch.payload).clone()
    }

    /// The attributes of the only item, and those of its resource.
    fn attributes(payload: &Payload) -> (&[KeyValue], &[KeyValue]) {
        match payload {
            Payload::Logs(logs) => (
                &logs[0].scope_logs[0].log_records[0].attributes,
                &logs[0].resource.as_ref().unwrap().attributes,
            ),
            Payload::Metrics(metrics) => (
                points::points_of(metrics).next().unwrap().attributes(),
                &metrics[0].resource.as_ref().unwrap().attributes,
            ),
            Payload::Traces(spans) => (
                &spans[0].scope_spans[0].spans[0].attributes,
                &spans[0].resource.as_ref().unwrap().attributes,
            ),
        }
    }

    #[test]
    fn changes_records_points_and_spans_but_no_resource() {
        for signal in Signal::ALL {
            let payload = process("actions: [{key: team, value: data, action: insert}]", signal);
            let (item, resource) = attributes(&payload);
            let [team] = item else { panic!("{signal}: {item:?}") };
            assert_eq!(team.key, "team");
            let value = team.value.as_ref().unwrap().value.clone();
            assert_eq!(value, Some(Value::StringValue("data".into())), "{signal}");
            let before = one_item(signal);
            assert_eq!(resource, attributes(&before).1, "{signal}");
        }
    }

    #[test]
    fn without_actions_it_is_an_error() {
        let error = Host::new("attributes").create(&factory(), "{}").map(drop).unwrap_err();
        assert!(error.to_string().contains("expected at least one action"), "{error}");
    }

    #[tokio::test]
    async fn fulfils_the_contract() {
        let subject = Subject::new(factory(), "actions:\n- {key: a, value: 1, action: upsert}\n");
        contract::processor(&subject).await;
    }
}
