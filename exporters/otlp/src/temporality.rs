//! `temporality`: what a metric point tells, and the totals that are kept for it.

use std::sync::{Mutex, PoisonError};

use collector_config::{Diagnostic, Duration, Settings};
use collector_data::Batch;
use collector_data::temporality::{Accumulator, DEFAULT_MAX_STALE};
use collector_runtime::Inbox;
use futures_util::future;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// `cumulative`: about totals.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CumulativeSettings {
    /// How long a series may be idle before it starts anew; 0: forever.
    pub max_stale: Duration,
}

impl Default for CumulativeSettings {
    fn default() -> Self {
        CumulativeSettings {
            max_stale: Duration::new(DEFAULT_MAX_STALE),
        }
    }
}

/// What a metric point tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temporality {
    /// What happened since the last one; points stay as they are.
    Delta,
    /// What happened since the start.
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

/// An inbox in which deltas are totals, and what fills it from the other one; that has to be awaited, and ends with its
/// input. Each signal has its own way, as before.
pub(crate) fn accumulate(input: Inbox, totals: Accumulator) -> (Inbox, impl Future<Output = ()>) {
    let mut output = Inbox::empty();
    let totals = Mutex::new(totals);
    let ways = input.into_channels().into_iter().map(|channel| {
        // One place, so that what waits for the queue still waits in the pipeline.
        let (sender, converted) = mpsc::channel(1);
        output.add(converted);
        (channel, sender)
    });
    let ways: Vec<_> = ways.collect();
    let feed = async move {
        let totals = &totals;
        future::join_all(
            ways.into_iter()
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
        // If whoever should take it is gone, the batch counts as lost.
        if output.send(Batch { payload, ack }).await.is_err() {
            return;
        }
    }
}
