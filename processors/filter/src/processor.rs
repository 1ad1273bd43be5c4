//! The component `filter`.

use collector_config::{Diagnostics, schema_of};
use collector_data::{Batch, Payload, Signal};
use collector_ottl_processing::Failures;
use collector_runtime::component::{Create, Factory, Processor};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::selection::{DropConditions, Dropped};
use crate::settings::{FilterSettings, Filters};

/// Drops the data that matches a condition, as the Collector's `filterprocessor`.
struct Filter {
    filters: Filters,
    failures: Failures,
    dropped: [Counter<u64>; 3],
    attributes: [KeyValue; 1],
}

/// The processor's factory.
pub fn factory() -> Factory<dyn Processor> {
    Factory {
        type_name: "filter",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Drops log records, metrics, points and spans that match a condition",
        schema: schema_of::<FilterSettings>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Processor>, Diagnostics> {
    let filters = Filters::read(create.settings)?;
    let attributes = [KeyValue::new("filter", create.id.to_string())];
    let counter = |name: &'static str, description: &'static str| {
        let counter = create.meter.u64_counter(name).with_description(description).build();
        counter.add(0, &attributes);
        counter
    };
    Ok(Box::new(Filter {
        dropped: [
            counter(
                "otelcol_processor_filter_logs_filtered",
                "Log records that a condition dropped",
            ),
            counter(
                "otelcol_processor_filter_datapoints_filtered",
                "Metric points that a condition dropped",
            ),
            counter(
                "otelcol_processor_filter_spans_filtered",
                "Spans that a condition dropped",
            ),
        ],
        failures: Failures::new(create.id, create.meter),
        filters,
        attributes,
    }))
}

impl Processor for Filter {
    fn process(&mut self, mut batch: Batch) -> Option<Batch> {
        let signal = batch.payload.signal();
        let conditions = match signal {
            Signal::Logs => &self.filters.logs,
            Signal::Metrics => &self.filters.metrics,
            Signal::Traces => &self.filters.traces,
        };
        if conditions.is_empty() {
            return Some(batch);
        }
        for conditions in conditions {
            match select(conditions, &batch.payload, &self.failures) {
                Ok(None) => {}
                Ok(Some(dropped)) => {
                    let before = batch.payload.items();
                    remove(dropped, batch.payload_mut());
                    let count = before - batch.payload.items();
                    self.dropped[signal as usize].add(count as u64, &self.attributes);
                }
                Err(reason) => {
                    self.failures.rejected(batch.payload.items(), &reason);
                    batch.ack.rejected(reason);
                    return None;
                }
            }
        }
        let is_empty = match &*batch.payload {
            Payload::Logs(resources) => resources.is_empty(),
            Payload::Metrics(resources) => resources.is_empty(),
            Payload::Traces(resources) => resources.is_empty(),
        };
        if is_empty {
            batch.ack.delivered();
            return None;
        }
        Some(batch)
    }
}

fn select<'c>(
    conditions: &'c DropConditions,
    payload: &Payload,
    failures: &Failures,
) -> Result<Option<Dropped<'c>>, String> {
    match payload {
        Payload::Logs(resources) => conditions.select(resources, failures),
        Payload::Metrics(resources) => conditions.select(resources, failures),
        Payload::Traces(resources) => conditions.select(resources, failures),
    }
}

fn remove(dropped: Dropped<'_>, payload: &mut Payload) {
    match payload {
        Payload::Logs(resources) => dropped.remove_from(resources),
        Payload::Metrics(resources) => dropped.remove_from(resources),
        Payload::Traces(resources) => dropped.remove_from(resources),
    }
}
