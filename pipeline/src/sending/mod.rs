//! What stands between a pipeline and a destination that may be slow, busy or away: a bounded queue, consumers
//! that send from it, and retries with a growing wait.
//!
//! An exporter implements [`Destination`] (one attempt to send one request, and what came of it); [`Sender`] does
//! the rest and decides the acknowledgement of every batch:
//!
//! | what came of it | acknowledgement | counted in |
//! |---|---|---|
//! | accepted | delivered | `otelcol_exporter_sent_<items>` |
//! | accepted in part | delivered, with a warning | `…_sent_…`, `otelcol_exporter_rejected_<items>` |
//! | answered with success, but every item refused | rejected | `otelcol_exporter_rejected_<items>` |
//! | refused for good | rejected | `otelcol_exporter_send_failed_<items>` |
//! | retries exhausted | dropped | `otelcol_exporter_send_failed_<items>` |
//! | no room in the queue, `block_on_overflow: false` | dropped | `otelcol_exporter_enqueue_failed_<items>` |

mod backoff;
mod condition;
mod deliver;
mod destination;
mod instruments;
mod log_pace;
mod queue;
mod request;
mod sender;
mod settings;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use destination::{Destination, SendOutcome};
pub use request::Request;
pub use sender::Sender;
pub use settings::{QueueSettings, RetrySettings, Sizer};
