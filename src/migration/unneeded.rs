//! `batch` and `memory_limiter`: accepted, so that a file of the Collector runs, but their function is built in.

use collector_config::{Diagnostics, Duration, schema_of};
use collector_data::{Batch, Signal};
use collector_runtime::Processor;
use collector_runtime::component::{Create, Factory};
use schemars::JsonSchema;
use serde::Deserialize;

/// `batch`.
pub(crate) fn batch() -> Factory<dyn Processor> {
    Factory {
        type_name: "batch",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Accepted without effect: exporters batch, see `sending_queue::batch`",
        schema: schema_of::<BatchSettings>,
        create: |create| accept::<BatchSettings>(create, BATCH, BATCH_HELP),
    }
}

/// `memory_limiter`.
pub(crate) fn memory_limiter() -> Factory<dyn Processor> {
    Factory {
        type_name: "memory_limiter",
        aliases: &[],
        signals: &Signal::ALL,
        makes: &[],
        description: "Accepted without effect: queues bound the memory, see `sending_queue::queue_size`",
        schema: schema_of::<MemoryLimiterSettings>,
        create: |create| accept::<MemoryLimiterSettings>(create, MEMORY, MEMORY_HELP),
    }
}

const BATCH: &str = "has no effect here: exporters batch";
const BATCH_HELP: &str = "remove it here and from the pipelines, and write `sending_queue: {batch: {}}` in the exporter: \
     `timeout` is `flush_timeout`, `send_batch_size` is `min_size`, `send_batch_max_size` is `max_size`";
const MEMORY: &str = "has no effect here: queues bound the memory";
const MEMORY_HELP: &str = "remove it here and from the pipelines; `sending_queue::queue_size` of the exporters bounds what \
     waits in memory, and a full queue makes the receiver wait";

fn accept<T: serde::de::DeserializeOwned>(
    create: &Create<'_>,
    warning: &str,
    help: &str,
) -> Result<Box<dyn Processor>, Diagnostics> {
    create.settings.read::<T>()?;
    create.settings.warn(create.settings.error("", warning).with_help(help));
    Ok(Box::new(Unneeded))
}

struct Unneeded;

impl Processor for Unneeded {
    fn process(&mut self, batch: Batch) -> Option<Batch> {
        Some(batch)
    }
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("deprecated" = true))]
struct BatchSettings {
    /// Has no effect: write `sending_queue::batch::flush_timeout` of the exporter instead.
    timeout: Duration,
    /// Has no effect: write `sending_queue::batch::min_size` of the exporter instead.
    send_batch_size: u64,
    /// Has no effect: write `sending_queue::batch::max_size` of the exporter instead.
    send_batch_max_size: u64,
    /// Has no effect: requests carry no metadata.
    metadata_keys: Vec<String>,
    /// Has no effect: requests carry no metadata.
    metadata_cardinality_limit: u64,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("deprecated" = true))]
struct MemoryLimiterSettings {
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    check_interval: Duration,
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    limit_mib: u64,
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    spike_limit_mib: u64,
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    limit_percentage: u64,
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    spike_limit_percentage: u64,
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    min_gc_interval_when_soft_limited: Duration,
    /// Has no effect: `sending_queue::queue_size` of the exporters bounds the backlog.
    min_gc_interval_when_hard_limited: Duration,
}
