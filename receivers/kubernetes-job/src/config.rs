//! The receiver's settings.

use collector_config::{Dimension, Duration, dimension_problems};
use collector_data::cardinality::DEFAULT_LIMIT;
use job_event::attributes;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

use job_tracker::OnFirstStart;
use job_watch::client::{AuthType, Coalesce};
use job_watch::extract::Extraction;
use job_watch::selection::{Namespaces, Selection};
use job_watch::shard::Sharding;
use job_watch::watch::COALESCE;

use crate::extract_config::ExtractConfig;
use crate::notice_config::{MissedRunsConfig, Problem, StalledConfig};
use crate::owner_config::OwnerConfig;

/// The settings of `k8s_job`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JobReceiverConfig {
    /// The credentials: `serviceAccount` (of the Pod), `kubeConfig`, or `auto`: the service account inside a cluster, else
    /// the kubeconfig.
    pub auth_type: AuthType,
    /// The path of the kubeconfig. By default it is `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. By default it is the current one.
    pub context: Option<String>,
    /// The namespaces to watch. By default it is the whole cluster.
    pub namespaces: Namespaces,
    /// Several collectors, each with its own namespaces. By default this collector has all of them.
    pub sharding: Sharding,
    /// Only Jobs with these labels are watched, in the syntax of `kubectl --selector`: `team=data,tier in (a,b)`.
    pub label_selector: String,
    /// How the watches are read.
    pub watch: WatchConfig,
    /// The name of the cluster: the attribute `k8s.cluster.name`.
    #[schemars(length(min = 1))]
    pub cluster_name: Option<String>,
    /// How long the receiver waits for evidence after a Job's verdict before it reports the Job, at most 5m.
    pub settle_time: Duration,
    /// How often the state gauges are sent, at least 1s.
    pub collection_interval: Duration,
    /// The maximum number of series of each gauge; 0: no limit.
    pub cardinality_limit: usize,
    /// Jobs that finished before the first start are reported (`report_finished`) or not (`ignore_finished`).
    pub on_first_start: OnFirstStart,
    /// With `report_finished`, Jobs that finished longer before the first start are not reported.
    pub finished_max_age: Duration,
    /// When Jobs that make no progress are reported.
    pub stalled: StalledConfig,
    /// When runs of CronJobs that did not start are reported.
    pub missed_runs: MissedRunsConfig,
    /// Attributes of the points of gauges: labels and annotations that `extract` selects, else attributes of the resource.
    pub dimensions: Vec<Dimension>,
    /// Labels and annotations that become attributes of events.
    pub extract: ExtractConfig,
    /// Rules that decide which Jobs belong together.
    pub owner: OwnerConfig,
    /// The id of the extension that stores which Jobs were reported, such as `file_storage`. Without it this is lost on a
    /// restart.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub storage: String,
    /// The id of the leader elector, if several replicas run. The extension that `storage` names uses the same one.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub k8s_leader_elector: String,
}

impl Default for JobReceiverConfig {
    fn default() -> Self {
        JobReceiverConfig {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            namespaces: Namespaces::default(),
            sharding: Sharding::default(),
            label_selector: String::new(),
            watch: WatchConfig::default(),
            cluster_name: None,
            settle_time: Duration::from_secs(1),
            collection_interval: Duration::from_secs(30),
            cardinality_limit: DEFAULT_LIMIT,
            on_first_start: OnFirstStart::default(),
            finished_max_age: Duration::from_secs(3600),
            stalled: StalledConfig::default(),
            missed_runs: MissedRunsConfig::default(),
            dimensions: Vec::new(),
            extract: ExtractConfig::default(),
            owner: OwnerConfig::default(),
            storage: String::new(),
            k8s_leader_elector: String::new(),
        }
    }
}

/// The settings of `watch`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// How often a busy watch is read, at most 250ms: the first update after quiet at once, those that follow together; 0s: each
    /// update is read as it arrives. While the watch stays busy the time doubles, up to the shortest of 8 times this, 250ms
    /// and a quarter of `settle_time`; what is more than this counts as `settle_time`, so no verdict is later by more than
    /// this.
    pub coalesce: Duration,
}

impl Default for WatchConfig {
    fn default() -> Self {
        WatchConfig {
            coalesce: Duration::new(COALESCE),
        }
    }
}

impl WatchConfig {
    fn problem(&self) -> Option<Problem> {
        let coalesce = self.coalesce.get();
        let is_valid = coalesce.is_zero() || (SHORTEST_COALESCE..=LONGEST_COALESCE).contains(&coalesce);
        (!is_valid).then(|| {
            let message = format!("expected 0s, or 1ms to 250ms, found {coalesce:?}");
            Problem::new("watch::coalesce", message)
        })
    }
}

/// The resolution of timers.
const SHORTEST_COALESCE: std::time::Duration = std::time::Duration::from_millis(1);
/// Shorter than any silence that means something.
const LONGEST_COALESCE: std::time::Duration = std::time::Duration::from_millis(250);
/// The longest ticks of a busy watch, as a multiple of the first ones of a burst.
const LONG_TICK: u32 = 8;
const PATIENT: Duration = Duration::from_secs(60);
const LONGEST_SETTLE_TIME: std::time::Duration = std::time::Duration::from_secs(300);

impl JobReceiverConfig {
    /// The cluster to connect to and the objects to watch.
    pub fn selection(&self) -> Selection<'_> {
        Selection {
            auth_type: self.auth_type,
            kubeconfig: self.kubeconfig.as_deref(),
            context: self.context.as_deref(),
            namespaces: &self.namespaces,
            label_selector: &self.label_selector,
            cluster_name: self.cluster_name.as_deref(),
            sharding: &self.sharding,
        }
    }

    /// The labels and annotations to decode beside those that are always read.
    pub fn extraction(&self) -> Extraction {
        let mut extraction = Extraction::default();
        self.extract.add_to(&mut extraction);
        self.owner.keep_labels(&mut extraction);
        extraction
    }

    /// How often busy watches are read. An update that waits for longer than `watch::coalesce` uses a part of the settle time, so the
    /// longest ticks are short beside that.
    pub(crate) fn coalesce(&self) -> Coalesce {
        let every = self.watch.coalesce.get();
        let longest = (every * LONG_TICK)
            .min(LONGEST_COALESCE)
            .min(self.settle_time.get() / 4);
        Coalesce::new(every, longest.max(every))
    }

    /// True if a receiver with the `next` settings observes, decides and stores as one with these: it may continue the watches
    /// and the state. The settings that differ apply to later events and gauges.
    pub(crate) fn is_continued_by(&self, next: &JobReceiverConfig) -> bool {
        let with_next_reports = JobReceiverConfig {
            cluster_name: next.cluster_name.clone(),
            settle_time: next.settle_time,
            collection_interval: next.collection_interval,
            cardinality_limit: next.cardinality_limit,
            dimensions: next.dimensions.clone(),
            on_first_start: next.on_first_start,
            finished_max_age: next.finished_max_age,
            ..self.clone()
        };
        with_next_reports == *next
    }

    /// True if no notice is due less than a minute after its reason, so that some seconds more are no matter.
    pub(crate) fn are_notices_patient(&self) -> bool {
        let stalls = !self.stalled.enabled || self.stalled.shortest() >= PATIENT;
        stalls && (!self.missed_runs.enabled || self.missed_runs.grace >= PATIENT)
    }

    /// All invalid values.
    pub fn problems(&self) -> Vec<Problem> {
        let selection = self.selection().errors().into_iter();
        let mut problems: Vec<Problem> = selection.map(|(key, problem)| Problem::new(key, problem)).collect();
        problems.extend(self.watch.problem());
        if self.settle_time.get() > LONGEST_SETTLE_TIME {
            let found = self.settle_time.get().as_secs();
            problems.push(Problem::new(
                "settle_time",
                format!("expected at most 5m, found {found}s"),
            ));
        }
        if self.collection_interval.get() < std::time::Duration::from_secs(1) {
            let found = self.collection_interval.get().as_millis();
            let message = format!("expected at least 1s, found {found}ms");
            problems.push(Problem::new("collection_interval", message));
        }
        problems.extend(self.stalled.problems());
        problems.extend(self.missed_runs.problems());
        let dimensions = dimension_problems("dimensions", &self.dimensions, &[attributes::POINT_CAUSE]);
        problems.extend(
            dimensions
                .into_iter()
                .map(|problem| Problem::new(problem.path, problem.message)),
        );
        problems.extend(self.extract.problems());
        problems.extend(self.owner.problems());
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(json: &str) -> Vec<String> {
        let config: JobReceiverConfig = serde_json::from_str(json).unwrap();
        let problems = config.problems().into_iter();
        problems
            .map(|problem| format!("{}: {}", problem.path, problem.message))
            .collect()
    }

    #[test]
    fn nothing_need_be_set() {
        assert_eq!(errors("{}"), [""; 0]);
        assert_eq!(
            errors(r#"{"namespaces":{"include":["a","b-1"]},"label_selector":"team in (a,b),!x","settle_time":"2s"}"#),
            [""; 0]
        );
    }

    #[test]
    fn reports_every_error() {
        let found = errors(
            r#"{"kubeconfig":"x","cluster_name":"","watch":{"coalesce":"2s"},"settle_time":"1h","collection_interval":"10ms",
                "stalled":{"after":"10ms"},"missed_runs":{"grace":"10ms"}}"#,
        );
        let keys: Vec<_> = found.iter().filter_map(|error| error.split(": ").next()).collect();
        assert_eq!(
            keys,
            [
                "cluster_name",
                "watch::coalesce",
                "settle_time",
                "collection_interval",
                "stalled::after",
                "missed_runs::grace"
            ]
        );
    }

    #[test]
    fn ticks_are_short_beside_the_settle_time() {
        let ms = std::time::Duration::from_millis;
        for (settle, every, longest) in [
            (1000, 25, 200),
            (300, 25, 75),
            (0, 25, 25),
            (1000, 100, 250),
            (1000, 0, 0),
        ] {
            let config = JobReceiverConfig {
                settle_time: Duration::new(ms(settle)),
                watch: WatchConfig {
                    coalesce: Duration::new(ms(every)),
                },
                ..JobReceiverConfig::default()
            };
            assert_eq!(config.coalesce(), Coalesce::new(ms(every), ms(longest)));
        }
    }

    #[test]
    fn updates_are_coalesced_for_a_quarter_of_a_second_at_most() {
        for valid in ["0s", "0", "1ms", "25ms", "250ms"] {
            assert_eq!(
                errors(&format!(r#"{{"watch":{{"coalesce":"{valid}"}}}}"#)),
                [""; 0],
                "{valid}"
            );
        }
        for (invalid, found) in [("500us", "500µs"), ("251ms", "251ms")] {
            let expected = format!("watch::coalesce: expected 0s, or 1ms to 250ms, found {found}");
            assert_eq!(
                errors(&format!(r#"{{"watch":{{"coalesce":"{invalid}"}}}}"#)),
                [expected]
            );
        }
    }
}
