//! The component `resource`.

use collector_attributes::{ActionSettings, Actions};
use collector_config::{Diagnostics, schema_of};
use collector_data::{Batch, Signal};
use collector_runtime::component::{Create, Factory, Processor};
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the processor.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["attributes"]))]
struct ResourceSettings {
    /// The changes, in order.
    #[schemars(length(min = 1))]
    attributes: Vec<ActionSettings>,
}

/// Changes the attributes of every resource, as the Collector's `resourceprocessor`. Resources that become equal are not
/// merged.
#[derive(Debug)]
struct ResourceAttributes {
    actions: Actions,
}

/// The processor's factory.
pub fn factory() -> Factory<dyn Processor> {
    Factory {
        type_name: "resource",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Changes the attributes of resources",
        schema: schema_of::<ResourceSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Processor>, Diagnostics> {
    let settings: ResourceSettings = create.settings.read()?;
    let actions = ActionSettings::read(settings.attributes, create.settings, "attributes")?;
    Ok(Box::new(ResourceAttributes { actions }))
}

impl Processor for ResourceAttributes {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        for resource in batch.payload_mut().resources_mut() {
            self.actions.apply(&mut resource.get_or_insert_default().attributes);
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use collector_data::Payload;
    use collector_testing::contract::{self, Subject};
    use collector_testing::{Host, batch, one_item};

    use super::*;

    /// `key=value` of every attribute of every resource, and the batch.
    fn process(yaml: &str, payload: Payload) -> (Vec<String>, Payload) {
        let mut processor = Host::new("resource").create(&factory(), yaml).unwrap();
        let (batch, _) = batch(payload);
        let mut payload = (*processor.process(batch).unwrap().payload).clone();
        let resources = payload.resources_mut().filter_map(|resource| resource.as_ref());
        let attributes = resources.flat_map(|resource| &resource.attributes);
        let shown = attributes.map(|attribute| format!("{}={:?}", attribute.key, attribute.value));
        (shown.collect(), payload)
    }

    #[test]
    fn changes_the_resource_of_every_signal() {
        let yaml = "attributes: [{key: service.name, action: delete}, {key: n, value: 1, action: insert}]";
        for signal in Signal::ALL {
            let (attributes, _) = process(yaml, one_item(signal));
            let [attribute] = &attributes[..] else {
                panic!("{signal}: {attributes:?}")
            };
            assert!(
                attribute.starts_with("n=") && attribute.contains("IntValue(1)"),
                "{attribute}"
            );
        }
    }

    #[test]
    fn data_without_a_resource_gets_one() {
        let mut payload = one_item(Signal::Metrics);
        payload.resources_mut().for_each(|resource| *resource = None);
        let (attributes, _) = process("attributes: [{key: n, value: 1, action: upsert}]", payload);
        assert_eq!(attributes.len(), 1);
    }

    #[test]
    fn resources_that_become_equal_stay_apart() {
        let mut payload = one_item(Signal::Logs);
        payload.append(one_item(Signal::Logs)).unwrap();
        payload.resources_mut().next().unwrap().take();
        let yaml = "attributes: [{key: service.name, action: delete}]";
        let (_, payload) = process(yaml, payload);
        assert_eq!(payload.items(), 2);
        let Payload::Logs(logs) = payload else { panic!("logs") };
        assert_eq!((logs.len(), &logs[0].resource), (2, &logs[1].resource));
    }

    #[test]
    fn without_actions_it_is_an_error() {
        let error = Host::new("resource").create(&factory(), "{}").map(drop).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`attributes` is empty, expected at least one action"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn fulfils_the_contract() {
        let subject = Subject::new(factory(), "attributes:\n- {key: a, value: 1, action: upsert}\n");
        contract::processor(&subject).await;
    }
}
