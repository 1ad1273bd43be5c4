//! The limit on the series of the gauges.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collector_data::cardinality::{Join, OverflowRules};
use collector_runtime::limited::{LimitSettings, LimitedMetrics};
use job_event::attributes as attr;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;

use crate::telemetry::Telemetry;

/// The owners that have series of their own. The batches of a collection are made one by one and share it.
#[derive(Clone)]
pub(crate) struct GaugeLimit(Option<Arc<Mutex<LimitedMetrics>>>);

impl GaugeLimit {
    /// At most `limit` series for each gauge; 0: no limit.
    pub(crate) fn new(limit: usize, telemetry: &Telemetry) -> Self {
        let settings = LimitSettings {
            limit,
            rules: OverflowRules {
                is_owner: attr::is_owner,
                gauges: join,
            },
            help: "exclude namespaces, join Jobs with random names under one owner, or raise the limit",
        };
        let limited = || {
            LimitedMetrics::new(
                settings,
                telemetry.limit.clone(),
                telemetry.setting("cardinality_limit"),
            )
        };
        GaugeLimit((limit > 0).then(|| Arc::new(Mutex::new(limited()))))
    }

    /// Limits the gauges of all owners, in chunks: each chunk as it was made, then the overflow. `now` in seconds since 1970.
    pub(crate) fn apply<I: Iterator<Item = Vec<ResourceMetrics>>>(
        &self,
        chunks: I,
        now: i64,
    ) -> impl Iterator<Item = Vec<ResourceMetrics>> + use<I> {
        let limit = self.0.clone();
        let overflow_of = self.0.clone();
        if let Some(limit) = &self.0 {
            locked(limit).start();
        }
        let within = chunks.map(move |chunk| match &limit {
            Some(limit) => {
                let mut limit = locked(limit);
                chunk.into_iter().filter_map(|owner| limit.apply(owner, now)).collect()
            }
            None => chunk,
        });
        let overflow = std::iter::once_with(move || overflow_of.and_then(|limit| locked(&limit).finish(now)));
        within.chain(overflow.flatten().map(|overflow| vec![overflow]))
    }
}

/// A sum has a meaning for counts. For the others the overflow has the value that an alert looks for.
fn join(metric: &str) -> Join {
    match metric {
        attr::METRIC_LAST_SUCCESS_AGE | attr::METRIC_CONSECUTIVE_FAILURES => Join::Max,
        attr::METRIC_NEXT_SCHEDULE => Join::Min,
        _ => Join::Sum,
    }
}

fn locked(limit: &Mutex<LimitedMetrics>) -> MutexGuard<'_, LimitedMetrics> {
    limit.lock().unwrap_or_else(PoisonError::into_inner)
}
