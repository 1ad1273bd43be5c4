//! The part of sending that an exporter implements: encode requests, and attempt one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::request::Request;
use collector_data::Payload;

/// The outcome of one attempt to send one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The backend accepted it.
    Accepted,
    /// The backend accepted it except for `rejected` items, and it must not be sent again (OTLP partial success).
    /// `rejected: 0` with a message is a warning.
    Partial {
        /// The number of refused items.
        rejected: u64,
        /// The message of the backend.
        message: String,
    },
    /// It failed and may succeed later.
    Retry {
        /// The shortest wait that the backend asks for.
        after: Option<Duration>,
        /// The error, for logs and health.
        why: String,
    },
    /// The backend refuses this data for good.
    Permanent(String),
    /// The backend refuses all data: wrong address, wrong key. The exporter is unhealthy until something is accepted.
    Misconfigured(String),
    /// The request is too large for the backend; the sender splits it in halves.
    TooLarge(String),
}

/// A backend, as an exporter reaches it.
pub trait Destination: Send + Sync + 'static {
    /// Encodes the payload as requests, in order; none for a payload without items.
    ///
    /// # Errors
    /// Why it can never be sent; the batch is rejected.
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String>;

    /// Decodes a request: the inverse of `prepare`, also for requests stored under other settings. Needed only to split
    /// it.
    ///
    /// # Errors
    /// Why it cannot be decoded.
    fn unpack(&self, request: &Request) -> Result<Payload, String>;

    /// Attempts to send a request once.
    fn export(&self, request: &Request) -> impl Future<Output = SendOutcome> + Send;
}
