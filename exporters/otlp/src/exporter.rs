//! The run of both exporters: convert, queue, send, and reload certificates.

use std::pin::pin;
use std::sync::Arc;

use collector_config::{ComponentId, Diagnostics};
use collector_data::temporality::Accumulator;
use collector_runtime::component::{Create, Running};
use collector_runtime::storage::Storage;
use collector_runtime::{ComponentError, Inbox};
use collector_sending::{Destination, QueueSettings, RetrySettings, Sender};
use opentelemetry::metrics::Meter;

use crate::authentication::{AuthSettings, Authentication};
use crate::temporality::{self, Temporality};
use crate::tls::Reload;

/// The settings of both transports.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) retry: RetrySettings,
    pub(crate) queue: QueueSettings,
    pub(crate) temporality: Temporality,
}

/// The parts of an exporter that do not depend on the transport.
pub(crate) struct ExporterParts {
    pub(crate) id: ComponentId,
    pub(crate) meter: Meter,
    /// The store of the queue.
    pub(crate) storage: Option<Arc<dyn Storage>>,
    pub(crate) reload: Option<Reload>,
}

impl ExporterParts {
    /// Opens the store of the queue and finds the authenticator.
    ///
    /// # Errors
    /// If one of them is not configured.
    pub(crate) fn new(
        create: &Create<'_>,
        queue: &QueueSettings,
        auth: Option<&AuthSettings>,
    ) -> Result<(Self, Authentication), Diagnostics> {
        match (queue.open("sending_queue", create), Authentication::find(auth, create)) {
            (Ok(storage), Ok(authentication)) => {
                let parts = ExporterParts {
                    id: create.id.clone(),
                    meter: create.meter.clone(),
                    storage,
                    reload: None,
                };
                Ok((parts, authentication))
            }
            (storage, authentication) => Err(storage.err().into_iter().chain(authentication.err()).collect()),
        }
    }
}

/// Sends batches until `input` is closed and every batch has an outcome.
pub(crate) async fn run<D: Destination>(
    destination: D,
    sending: Sending,
    parts: ExporterParts,
    input: Inbox,
    running: Running,
) -> Result<(), ComponentError> {
    let id = parts.id;
    let sender =
        Sender::new(destination, id.clone(), sending.retry, sending.queue, parts.meter).with_storage(parts.storage);
    let sent = async {
        match sending.temporality {
            Temporality::Delta => sender.run(input, running).await,
            Temporality::Cumulative { max_stale } => {
                let totals = Accumulator::new(max_stale).with_zero_points();
                let (converted, feed) = temporality::accumulate(input, totals);
                let mut sent = pin!(sender.run(converted, running));
                tokio::select! {
                    sent = &mut sent => return sent,
                    () = feed => {}
                }
                sent.await
            }
        }
    };
    match parts.reload {
        None => sent.await,
        Some(reload) => tokio::select! {
            sent = sent => sent,
            never = reload.run(&id) => match never {},
        },
    }
}
