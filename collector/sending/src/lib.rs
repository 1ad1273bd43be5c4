//! What stands between a pipeline and a destination that may be slow, busy or away: a bounded queue, in memory or in a
//! store that survives the process, consumers that send from it, and retries with a growing wait.
//!
//! An exporter implements [`Destination`] (one attempt to send one request, and what came of it); [`Sender`] does
//! the rest and decides the acknowledgement of every batch. With `sending_queue::storage` a batch is delivered once its
//! requests are stored; what comes of them later is counted and logged only. Without:
//!
//! | what came of it | acknowledgement | counted in |
//! |---|---|---|
//! | accepted | delivered | `otelcol_exporter_sent_<items>` |
//! | accepted in part | delivered, with a warning | `…_sent_…`, `otelcol_exporter_rejected_<items>` |
//! | answered with success, but every item refused | rejected | `otelcol_exporter_rejected_<items>` |
//! | refused for good | rejected | `otelcol_exporter_send_failed_<items>` |
//! | metric points older than the backend takes | rejected | `otelcol_exporter_send_failed_<items>` |
//! | retries exhausted | dropped | `otelcol_exporter_send_failed_<items>` |
//! | no room in the queue, `block_on_overflow: false` | dropped | `otelcol_exporter_enqueue_failed_<items>` |

mod backoff;
mod clock;
mod condition;
mod deliver;
mod destination;
mod expiry;
mod gather;
mod instruments;
mod intake;
mod kept;
mod lane;
mod places;
mod queue;
mod queue_settings;
mod request;
mod retry_settings;
mod sender;
mod sharing;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use destination::{Destination, SendOutcome};
pub use queue_settings::{BatchSettings, QueueSettings, Sizer};
pub use request::Request;
pub use retry_settings::RetrySettings;
pub use sender::Sender;
