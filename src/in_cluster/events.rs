//! The events that the exporter `web` of the collector keeps, by its JSON API (`exporters/web/src/api/`).

use jiff::Timestamp;
use job_event::attributes::{EVENT_NAME, STALLED_EVENT};
use job_watch::watch::request::encoded;
use serde::Deserialize;
use serde_json::Value;

use super::{InCluster, InClusterError};

/// The name of the port of the exporter `web`.
pub(crate) const WEB_PORT: &str = "web";
/// The events of one page.
const PAGE: usize = 1000;
/// The most pages of one list.
const PAGES: usize = 20;

/// An event. Lists have no `next_step`, `attempts` and `evidence`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoredEvent {
    /// `k8s.job.finished`, `k8s.job.stalled`, `k8s.job.recovered` or `k8s.cronjob.missed`.
    pub event: String,
    pub time: Option<Timestamp>,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub owner: StoredOwner,
    pub outcome: String,
    pub reason: Option<String>,
    pub message: Option<String>,
    /// The cause; all of them, separated by commas, of a recovery.
    pub cause: Option<String>,
    pub category: Option<String>,
    pub retry: Option<String>,
    pub summary: String,
    pub next_step: Option<String>,
    pub start_time: Option<Timestamp>,
    /// The beginning of a stall.
    pub since: Option<Timestamp>,
    pub attempts: Vec<Value>,
    pub evidence: Option<Value>,
}

/// The owner of a Job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StoredOwner {
    pub kind: String,
    pub name: String,
    pub rule: String,
}

impl StoredEvent {
    pub(crate) fn is_finished(&self) -> bool {
        self.event == EVENT_NAME
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.event == STALLED_EVENT
    }
}

#[derive(Deserialize)]
struct Page {
    events: Vec<StoredEvent>,
    /// The cursor of the next page.
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct OverviewStalls {
    stalled: StallItems,
}

#[derive(Deserialize)]
struct StallItems {
    items: Vec<StoredEvent>,
}

impl InCluster<'_> {
    /// The events of all Jobs of that name, newest first, with their evidence; of one of these Jobs if `uid` is given.
    ///
    /// # Errors
    /// The collector did not answer.
    pub(crate) async fn events_of_job(
        self,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Vec<StoredEvent>, InClusterError> {
        let mut path = format!("/api/v1/jobs/{}/{}", encoded(namespace), encoded(name));
        if let Some(uid) = uid {
            path.push_str(&format!("?uid={}", encoded(uid)));
        }
        match self.json::<Page>(&path).await {
            Ok(page) => Ok(page.events),
            // No event of the Job is kept.
            Err(error) if error.status() == Some(404) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The events that match all pairs of keys and values, latest received first: at most `most`, without evidence.
    ///
    /// # Errors
    /// The collector did not answer.
    pub(crate) async fn events(self, filter: &[(&str, &str)], most: usize) -> Result<Vec<StoredEvent>, InClusterError> {
        let pairs = filter.iter().map(|(key, value)| format!("&{key}={}", encoded(value)));
        let path = format!("/api/v1/events?limit={}{}", most.min(PAGE), pairs.collect::<String>());
        let mut events = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let page: Page = self.json(&format!("{path}{cursor}")).await?;
            events.extend(page.events);
            match page.next {
                Some(next) if events.len() < most => cursor = format!("&cursor={}", encoded(&next)),
                _ => break,
            }
        }
        events.truncate(most);
        Ok(events)
    }

    /// The stalls that are not over, in one namespace or in all.
    ///
    /// # Errors
    /// The collector did not answer.
    pub(crate) async fn stalls(self, namespace: Option<&str>) -> Result<Vec<StoredEvent>, InClusterError> {
        let query = namespace.map(|namespace| format!("?namespace={}", encoded(namespace)));
        let path = format!("/api/v1/overview{}", query.unwrap_or_default());
        Ok(self.json::<OverviewStalls>(&path).await?.stalled.items)
    }
}
