//! `temporality`: deltas or totals.

use std::sync::{Mutex, PoisonError};

use collector_config::{Diagnostic, Duration, Settings};
use collector_data::Batch;
use collector_data::temporality::{Accumulator, DEFAULT_MAX_STALE};
use collector_runtime::Inbox;
use futures_util::future;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// `cumulative`: settings of totals.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CumulativeSettings {
    /// How long a series may be idle before its total restarts; 0: without limit.
    pub max_stale: Duration,
}

impl Default for CumulativeSettings {
    fn default() -> Self {
        CumulativeSettings {
            max_stale: Duration::new(DEFAULT_MAX_STALE),
        }
    }
}

/// The temporality of exported points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporality {
    /// The change since the last point; points are not converted.
    Delta,
    /// The total since the start of the series.
    Cumulative { max_stale: std::time::Duration },
}

impl Temporality {
    pub(crate) fn read(
        text: &str,
        cumulative: CumulativeSettings,
        settings: &Settings,
        errors: &mut Vec<Diagnostic>,
    ) -> Temporality {
        match text {
            "cumulative" => {
                return Temporality::Cumulative {
                    max_stale: cumulative.max_stale.get(),
                };
            }
            "delta" => {
                if settings.is_set("cumulative") {
                    let message = "it has no effect without `temporality: cumulative`";
                    errors.push(settings.error("cumulative", message));
                }
            }
            other => {
                let message = format!("unknown temporality `{other}`, expected delta or cumulative");
                errors.push(settings.error("temporality", message));
            }
        }
        Temporality::Delta
    }
}

/// An inbox in which deltas are totals, and the future that fills it, which ends with its input. Each signal keeps its own
/// channel.
pub(crate) fn accumulate(input: Inbox, totals: Accumulator) -> (Inbox, impl Future<Output = ()>) {
    let mut output = Inbox::empty();
    let totals = Mutex::new(totals);
    let channels = input.into_channels().into_iter().map(|channel| {
        // Capacity 1, so that batches wait in the pipeline while the queue is full.
        let (sender, converted) = mpsc::channel(1);
        output.add(converted);
        (channel, sender)
    });
    let channels: Vec<_> = channels.collect();
    let feed = async move {
        let totals = &totals;
        future::join_all(
            channels
                .into_iter()
                .map(|(channel, sender)| convert(channel, sender, totals)),
        )
        .await;
    };
    (output, feed)
}

async fn convert(mut input: mpsc::Receiver<Batch>, output: mpsc::Sender<Batch>, totals: &Mutex<Accumulator>) {
    while let Some(Batch { payload, ack }) = input.recv().await {
        let now = Instant::now().into_std();
        let payload = totals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .convert(payload, now);
        // Without a receiver, the batch counts as lost.
        if output.send(Batch { payload, ack }).await.is_err() {
            return;
        }
    }
}
