//! What an exporter gives the sender: how to make requests, and how to try one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::request::Request;
use collector_data::Payload;

/// What came of one attempt to send one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The destination has it all.
    Accepted,
    /// The destination has it, except for `rejected` items, and it must not be sent again (OTLP partial success).
    /// `rejected: 0` with a message is a warning.
    Partial {
        /// How many items it refused.
        rejected: u64,
        /// Its words.
        message: String,
    },
    /// It did not work, and may work later.
    Retry {
        /// The shortest wait the destination asks for.
        after: Option<Duration>,
        /// What happened, for people.
        why: String,
    },
    /// The destination refuses this data for good.
    Permanent(String),
    /// The destination refuses everything, whatever the data: wrong address, wrong key. The exporter counts as
    /// failing until something is accepted.
    Misconfigured(String),
    /// It is too large for the destination; the sender cuts it in halves.
    TooLarge(String),
}

/// Somewhere to send to.
pub trait Destination: Send + Sync + 'static {
    /// Makes the requests that together hold the payload, in order; none for a payload without items.
    ///
    /// # Errors
    /// Why it cannot be sent at all; the batch is rejected.
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String>;

    /// The data that a request holds: the inverse of `prepare`, also for a request that was stored when the settings
    /// were others. Needed only to cut it.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn unpack(&self, request: &Request) -> Result<Payload, String>;

    /// Tries once.
    fn export(&self, request: &Request) -> impl Future<Output = SendOutcome> + Send;
}
