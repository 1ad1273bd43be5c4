//! What both exporters do with what comes in: convert, queue, send, and keep certificates fresh.

use std::pin::pin;
use std::sync::Arc;

use collector_config::ComponentId;
use collector_data::temporality::Accumulator;
use collector_runtime::component::Running;
use collector_runtime::storage::Storage;
use collector_runtime::{ComponentError, Inbox};
use collector_sending::{Destination, QueueSettings, RetrySettings, Sender};
use opentelemetry::metrics::Meter;

use crate::temporality::{self, Temporality};
use crate::tls::Reload;

/// How data is sent, whatever the transport.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) retry: RetrySettings,
    pub(crate) queue: QueueSettings,
    pub(crate) temporality: Temporality,
}

/// What an exporter has beside its settings.
pub(crate) struct Parts {
    pub(crate) id: ComponentId,
    pub(crate) meter: Meter,
    /// Where the queue is kept.
    pub(crate) storage: Option<Arc<dyn Storage>>,
    pub(crate) reload: Option<Reload>,
}

/// Sends what comes in until `input` is closed and every batch is decided.
pub(crate) async fn run<D: Destination>(
    destination: D,
    sending: Sending,
    parts: Parts,
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
