//! Sends to a backend that may be slow, busy or down: a bounded queue, in memory or persistent, consumers that send from
//! it, and retries with a growing wait.
//!
//! An exporter implements [`Destination`] (one attempt to send one request, and its outcome); [`Sender`] does the rest and
//! acknowledges every batch. With `sending_queue::storage` a batch is delivered once its requests are stored; their later
//! outcome is counted and logged only. Without:
//!
//! | outcome | acknowledgement | counted in |
//! |---|---|---|
//! | accepted | delivered | `otelcol_exporter_sent_<items>` |
//! | accepted in part | delivered, with a warning | `…_sent_…`, `otelcol_exporter_rejected_<items>` |
//! | success with every item refused | rejected | `otelcol_exporter_rejected_<items>` |
//! | refused for good | rejected | `otelcol_exporter_send_failed_<items>` |
//! | metric points older than the backend takes | rejected | `otelcol_exporter_send_failed_<items>` |
//! | retries exhausted | dropped | `otelcol_exporter_send_failed_<items>` |
//! | no room in the queue, `block_on_overflow: false` | dropped | `otelcol_exporter_enqueue_failed_<items>` |

mod batcher;
mod capacity;
mod clock;
mod deliver;
mod destination;
mod expiry;
mod instruments;
mod intake;
mod persistent_queue;
mod queue;
mod queue_settings;
mod request;
mod retry_settings;
mod sender;
mod sharing;
mod signal_sender;

#[cfg(test)]
mod tests;

pub use destination::{Destination, SendOutcome};
pub use queue_settings::{BatchSettings, QueueSettings, Sizer};
pub use request::Request;
pub use retry_settings::RetrySettings;
pub use sender::Sender;
