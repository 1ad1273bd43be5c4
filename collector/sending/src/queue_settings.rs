//! The settings `sending_queue`, with the Collector's keys.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use collector_config::{Diagnostic, Duration, Settings};
use collector_runtime::component::Create;
use collector_runtime::storage::Storage;

/// A larger `num_consumers` is an error: each is a task, and a connection with HTTP/1.
const MOST_CONSUMERS: usize = 1000;
/// The longest `batch::flush_timeout`, because events wait that long.
const LONGEST_FLUSH: std::time::Duration = std::time::Duration::from_secs(60);

/// The unit of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sizer {
    /// In requests.
    Requests,
    /// In log records, metric points or spans.
    Items,
    /// In bytes: a queue by its encoded requests, a batch before compression.
    Bytes,
}

/// `sending_queue`: holds data while the backend is slow or down. Each signal has its own queue.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend(
    "if" = {"properties": {"enabled": {"enum": [true, null]}}},
    "then" = {"properties": {"num_consumers": {"minimum": 1, "maximum": 1000}, "queue_size": {"minimum": 1}}}
))]
pub struct QueueSettings {
    /// Enables the queue. Without it each signal is sent one request at a time.
    pub enabled: bool,
    /// The number of concurrent requests of a signal, 1 to 1000.
    pub num_consumers: usize,
    /// The capacity of the queue of each signal, requests in flight included, in units of `sizer`. It is at least 1.
    pub queue_size: u64,
    /// The unit of `queue_size`: `requests` (default), `items` (log records, metric points, spans) or `bytes` (the size of
    /// requests as sent).
    pub sizer: Option<Sizer>,
    /// Makes producers wait while the queue is full; otherwise new data is dropped and counted.
    ///
    /// On by default, unlike in the Collector: an event is the only report of a failed Job, and the receiver can wait,
    /// so nothing is dropped by default.
    pub block_on_overflow: bool,
    /// The id of the `file_storage` that keeps the queue across restarts. Without it the queue is in memory.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub storage: Option<String>,
    /// Merges small batches. `batch: {}` uses the defaults; without it every batch is a request of its own.
    pub batch: Option<BatchSettings>,
}

/// `sending_queue::batch`: merges small batches of a signal.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSettings {
    /// How long small batches wait for more data, more than 0 and at most 1m.
    pub flush_timeout: Duration,
    /// A batch of this size is sent without waiting. It is at most `queue_size` if both have the same unit.
    pub min_size: u64,
    /// A larger batch is split; 0: only the limits of the backend apply.
    pub max_size: u64,
    /// The unit of both sizes: `items` or `bytes` (before compression). By default it is that of the queue if it is one of
    /// these, else `items`.
    pub sizer: Option<Sizer>,
}

impl Sizer {
    /// The largest valid queue: 1 PiB, or a billion.
    fn largest_queue(self) -> u64 {
        match self {
            Sizer::Bytes => 1 << 50,
            Sizer::Items | Sizer::Requests => 1_000_000_000,
        }
    }

    /// The largest valid batch: 64 MiB, the limit that OTLP recommends for a request, or a million items.
    fn largest_batch(self) -> u64 {
        match self {
            Sizer::Bytes => 64 << 20,
            Sizer::Items | Sizer::Requests => 1_000_000,
        }
    }
}

impl Default for QueueSettings {
    fn default() -> Self {
        QueueSettings {
            enabled: true,
            num_consumers: 10,
            queue_size: 1000,
            sizer: None,
            block_on_overflow: true,
            storage: None,
            batch: None,
        }
    }
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings {
            flush_timeout: Duration::from_millis(200),
            min_size: 8192,
            max_size: 0,
            sizer: None,
        }
    }
}

impl QueueSettings {
    /// Every error in the values. `key` is their key in the component (`sending_queue`).
    pub fn errors(&self, key: &str, settings: &Settings) -> Vec<Diagnostic> {
        if !self.enabled {
            return Vec::new();
        }
        let mut errors = Vec::new();
        let mut wrong = |name: &str, message: String| errors.push(settings.error(&format!("{key}::{name}"), message));
        if self.num_consumers == 0 {
            wrong("num_consumers", "`num_consumers` must be positive".into());
        } else if self.num_consumers > MOST_CONSUMERS {
            let found = self.num_consumers;
            wrong(
                "num_consumers",
                format!("found {found}, expected at most {MOST_CONSUMERS}"),
            );
        }
        if self.queue_size == 0 {
            wrong("queue_size", "`queue_size` must be positive".into());
        } else if self.queue_size > self.sizer().largest_queue() {
            let (found, most) = (self.queue_size, self.sizer().largest_queue());
            wrong("queue_size", format!("found {found}, expected at most {most}"));
        }
        let Some(batch) = &self.batch else { return errors };
        if batch.sizer == Some(Sizer::Requests) {
            wrong("batch::sizer", "`batch` supports only `items` or `bytes` sizer".into());
        } else if self.sizer() == self.batch_sizer(batch) && batch.min_size > self.queue_size {
            let message = "`min_size` must be less than or equal to `queue_size`";
            wrong("batch::min_size", message.into());
        }
        if batch.flush_timeout.get().is_zero() {
            wrong("batch::flush_timeout", "`flush_timeout` must be positive".into());
        } else if batch.flush_timeout.get() > LONGEST_FLUSH {
            let found = batch.flush_timeout;
            wrong("batch::flush_timeout", format!("found {found}, expected at most 1m"));
        }
        let most = self.batch_sizer(batch).largest_batch();
        for (name, found) in [("batch::min_size", batch.min_size), ("batch::max_size", batch.max_size)] {
            if found > most {
                wrong(name, format!("found {found}, expected at most {most}"));
            }
        }
        if batch.max_size > 0 && batch.max_size < batch.min_size {
            let (max, min) = (batch.max_size, batch.min_size);
            let message = format!("`max_size` ({max}) must be greater or equal to `min_size` ({min})");
            wrong("batch::max_size", message);
        }
        errors
    }

    /// The configured storage; `None` if the queue is in memory. `key` is the key of these settings.
    ///
    /// # Errors
    /// If it is not a storage, or is too small for a queue.
    pub fn open(&self, key: &str, create: &Create<'_>) -> Result<Option<Arc<dyn Storage>>, Diagnostic> {
        let Some(name) = self.storage.as_ref().filter(|name| self.enabled && !name.is_empty()) else {
            return Ok(None);
        };
        let error = |message: String| create.settings.error(&format!("{key}::storage"), message);
        let storage = create.provided.storage(name).map_err(error)?;
        if let Some(capacity) = storage.capacity() {
            return Err(error(format!(
                "{name:?} stores at most {capacity} bytes, too little for a queue; name a `file_storage`, or leave \
                 `storage` out to keep the queue in memory"
            )));
        }
        Ok(Some(storage))
    }

    /// The unit of `queue_size`.
    pub fn sizer(&self) -> Sizer {
        self.sizer.unwrap_or(Sizer::Requests)
    }

    /// The unit of the sizes of `batch`.
    pub fn batch_sizer(&self, batch: &BatchSettings) -> Sizer {
        match (batch.sizer, self.sizer) {
            (Some(sizer), _) => sizer,
            (None, Some(Sizer::Bytes)) => Sizer::Bytes,
            (None, _) => Sizer::Items,
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider;

    use super::*;
    use collector_config::ComponentId;
    use collector_runtime::health::Health;
    use collector_runtime::storage::memory::MemoryStorage;
    use collector_runtime::storage::{Offer, Provided};

    fn read(yaml: &str) -> (QueueSettings, Settings) {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Component {
            sending_queue: QueueSettings,
        }
        let settings = Settings::from_yaml(yaml).unwrap();
        let component: Component = settings.read().unwrap();
        (component.sending_queue, settings)
    }

    fn shown(error: &Diagnostic) -> String {
        let line = error.position.as_ref().map(|position| position.line);
        format!("{}: {}: {}", line.unwrap_or_default(), error.path, error.message)
    }

    fn errors(yaml: &str) -> Vec<String> {
        let (queue, settings) = read(yaml);
        queue.errors("sending_queue", &settings).iter().map(shown).collect()
    }

    #[test]
    fn defaults_are_the_collectors_except_for_drops() {
        assert_eq!(errors("{}"), [""; 0]);
        let (queue, _) = read("sending_queue: {batch: {}}");
        assert_eq!(
            (queue.num_consumers, queue.queue_size, queue.block_on_overflow),
            (10, 1000, true)
        );
        let batch = queue.batch.unwrap();
        assert_eq!((batch.min_size, batch.max_size), (8192, 0));
        assert_eq!(batch.flush_timeout, Duration::from_millis(200));
    }

    #[test]
    fn a_batch_uses_the_unit_of_the_queue_where_possible() {
        for (yaml, expected) in [
            ("{batch: {}}", Sizer::Items),
            ("{sizer: requests, batch: {}}", Sizer::Items),
            ("{sizer: bytes, batch: {}}", Sizer::Bytes),
            ("{sizer: bytes, batch: {sizer: items}}", Sizer::Items),
        ] {
            let (queue, _) = read(&format!("sending_queue: {yaml}"));
            assert_eq!(queue.batch_sizer(queue.batch.as_ref().unwrap()), expected, "{yaml}");
        }
    }

    #[test]
    fn each_error_has_its_position() {
        for (yaml, line, expected) in [
            ("num_consumers: 0", 2, "num_consumers: `num_consumers` must be positive"),
            ("queue_size: 0", 2, "queue_size: `queue_size` must be positive"),
            (
                "num_consumers: 100000000",
                2,
                "num_consumers: found 100000000, expected at most 1000",
            ),
            (
                "queue_size: 18446744073709551615",
                2,
                "queue_size: found 18446744073709551615, expected at most 1000000000",
            ),
            (
                "batch:\n    flush_timeout: 1h",
                3,
                "batch::flush_timeout: found 1h, expected at most 1m",
            ),
            (
                "batch:\n    max_size: 2000000",
                3,
                "batch::max_size: found 2000000, expected at most 1000000",
            ),
            (
                "batch:\n    sizer: requests",
                3,
                "batch::sizer: `batch` supports only `items` or `bytes` sizer",
            ),
            (
                "batch:\n    flush_timeout: 0s",
                3,
                "batch::flush_timeout: `flush_timeout` must be positive",
            ),
            (
                "batch:\n    max_size: 5",
                3,
                "batch::max_size: `max_size` (5) must be greater or equal to `min_size` (8192)",
            ),
            (
                "sizer: items\n  batch:\n    min_size: 1001",
                4,
                "batch::min_size: `min_size` must be less than or equal to `queue_size`",
            ),
        ] {
            let expected = format!("{line}: sending_queue::{expected}");
            assert_eq!(errors(&format!("sending_queue:\n  {yaml}")), [expected]);
            let off = format!("sending_queue:\n  {yaml}\n  enabled: false");
            assert_eq!(errors(&off), [""; 0], "disabled settings are not checked");
        }
        assert_eq!(
            errors("sending_queue: {batch: {min_size: 1001}}"),
            [""; 0],
            "items are not requests"
        );
    }

    #[test]
    fn a_storage_that_is_too_small_is_an_error() {
        let id = |type_name: &str| ComponentId {
            type_name: type_name.into(),
            name: None,
        };
        let mut provided = Provided::new();
        let mut add = |type_name: &str, storage: MemoryStorage| {
            let offer = Offer {
                storage: Some(Arc::new(storage)),
                ..Offer::default()
            };
            provided.add(id(type_name), offer);
        };
        add("file_storage", MemoryStorage::new());
        add("k8s_storage", MemoryStorage::new().with_capacity(262_144));
        let open = |yaml: &str| {
            let (queue, settings) = read(yaml);
            let meter = opentelemetry::metrics::noop::NoopMeterProvider::new().meter("test");
            let create = Create {
                id: &id("otlp_http"),
                settings: &settings,
                meter: &meter,
                health: &Health::new(),
                provided: &provided,
            };
            queue
                .open("sending_queue", &create)
                .map(|storage| storage.is_some())
                .map_err(|error| shown(&error))
        };
        assert_eq!(open("{}"), Ok(false));
        assert_eq!(open("sending_queue: {storage: file_storage}"), Ok(true));
        assert_eq!(open("sending_queue: {storage: ''}"), Ok(false));
        assert_eq!(
            open("sending_queue: {storage: file_storage, enabled: false}"),
            Ok(false)
        );
        assert_eq!(
            open("sending_queue:\n  storage: k8s_storage").unwrap_err(),
            "2: sending_queue::storage: \"k8s_storage\" stores at most 262144 bytes, too little for a queue; name a \
             `file_storage`, or leave `storage` out to keep the queue in memory"
        );
        let nowhere = open("sending_queue:\n  storage: file_storge").unwrap_err();
        assert!(
            nowhere.starts_with("2: sending_queue::storage: \"file_storge\" is not an extension"),
            "{nowhere}"
        );
    }
}
