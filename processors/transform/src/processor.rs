//! The component `transform`.

use collector_config::{Diagnostics, schema_of};
use collector_data::{Batch, Payload, Signal};
use collector_ottl_processing::Failures;
use collector_runtime::component::{Create, Factory, Processor};

use crate::settings::{TransformSettings, Transformations};
use crate::statements::SharedCaches;

/// Changes data with statements, as the Collector's `transformprocessor`.
struct Transform {
    transformations: Transformations,
    /// One for each signal.
    caches: [SharedCaches; 3],
    failures: Failures,
}

/// The processor's factory.
pub fn factory() -> Factory<dyn Processor> {
    Factory {
        type_name: "transform",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Changes log records, metrics, points and spans with statements",
        schema: schema_of::<TransformSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Processor>, Diagnostics> {
    Ok(Box::new(Transform {
        transformations: Transformations::read(create.settings)?,
        caches: Default::default(),
        failures: Failures::new(create.id, create.meter),
    }))
}

impl Processor for Transform {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        let signal = batch.payload.signal();
        let groups = match signal {
            Signal::Logs => &self.transformations.logs,
            Signal::Metrics => &self.transformations.metrics,
            Signal::Traces => &self.transformations.traces,
        };
        if groups.is_empty() {
            return Some(batch);
        }
        let caches = &mut self.caches[signal as usize];
        for group in groups {
            let result = match batch.payload_mut() {
                Payload::Logs(resources) => group.run(resources, caches, &self.failures),
                Payload::Metrics(resources) => group.run(resources, caches, &self.failures),
                Payload::Traces(resources) => group.run(resources, caches, &self.failures),
            };
            if let Err(reason) = result {
                self.failures.rejected(batch.payload.items(), &reason);
                batch.ack.rejected(reason);
                return None;
            }
        }
        Some(batch)
    }
}
