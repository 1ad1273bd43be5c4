//! `temporality`: what a metric point tells, and the totals that are kept for it.

use pipeline::config::{Diagnostic, Duration, Settings};
use pipeline::temporality::{Accumulator, DEFAULT_MAX_STALE};
use pipeline::{Batch, Inbox};
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
        mistakes: &mut Vec<Diagnostic>,
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
                    mistakes.push(settings.mistake("cumulative", message));
                }
            }
            other => {
                let message = format!("unknown temporality `{other}`, expected delta or cumulative");
                mistakes.push(settings.mistake("temporality", message));
            }
        }
        Temporality::Delta
    }
}

/// Hands on every batch, deltas as totals, before anything is queued; ends with its input.
pub(crate) async fn accumulate(mut input: Inbox, output: mpsc::Sender<Batch>, mut totals: Accumulator) {
    while let Some(Batch { payload, ack }) = input.recv().await {
        let payload = totals.convert(payload, Instant::now().into_std());
        // If whoever should take it is gone, the batch counts as lost.
        if output.send(Batch { payload, ack }).await.is_err() {
            return;
        }
    }
}
