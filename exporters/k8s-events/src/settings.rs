//! The settings of `k8s_events`, and their check.

use std::collections::BTreeSet;
use std::path::PathBuf;

use collector_config::{Diagnostic, Diagnostics, Duration, Settings, nearest};
use collector_sending::{QueueSettings, RetrySettings};
use job_event::Outcome;
use job_watch::client::{AuthType, auth_errors};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::response;
use crate::select::{EventSelection, RecordKind};

/// A higher `rate` is an error: it would not protect etcd.
const HIGHEST_RATE: f64 = 1000.0;
/// A larger `burst` is an error.
const LARGEST_BURST: u32 = 10_000;
const OUTCOMES: [Outcome; 4] = [Outcome::Succeeded, Outcome::Failed, Outcome::Deleted, Outcome::Replaced];
const CODES: &str = "retry_on_failure::non_retryable_status_codes";

/// `exporters::k8s_events`, as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct K8sEventsSettings {
    /// The credentials: `serviceAccount` (of the Pod), `kubeConfig`, or `auto`: the service account inside a cluster, else the
    /// kubeconfig.
    pub auth_type: AuthType,
    /// The path of the kubeconfig. By default it is `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. By default it is the current one.
    pub context: Option<String>,
    /// The names of the events that become Kubernetes Events.
    #[schemars(length(min = 1), schema_with = "event_names")]
    pub events: Vec<String>,
    /// The outcomes of finished Jobs that become Kubernetes Events.
    #[schemars(length(min = 1), schema_with = "outcome_names")]
    pub outcomes: Vec<String>,
    /// The maximum number of requests per second on average, more than 0 and at most 1000.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = HIGHEST_RATE))]
    pub rate: f64,
    /// The maximum number of requests at once, 1 to 10000.
    #[schemars(range(min = 1, max = LARGEST_BURST))]
    pub burst: u32,
    /// When and how often failed requests are retried.
    #[schemars(schema_with = "retries")]
    pub retry_on_failure: RetrySettings,
    /// The queue that holds Events while the API server is slow or down.
    #[schemars(schema_with = "queue")]
    pub sending_queue: QueueSettings,
}

fn event_names(_: &mut SchemaGenerator) -> Schema {
    let names = RecordKind::ALL.map(RecordKind::event_name);
    json_schema!({"type": "array", "items": {"type": "string", "enum": names}})
}

fn outcome_names(_: &mut SchemaGenerator) -> Schema {
    let names = OUTCOMES.map(Outcome::as_str);
    json_schema!({"type": "array", "items": {"type": "string", "enum": names}})
}

/// With the defaults of this exporter.
fn retries(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<RetrySettings>();
    let own = K8sEventsSettings::default().retry_on_failure;
    set_default(&mut schema, "max_elapsed_time", own.max_elapsed_time.to_string());
    schema
}

/// With the defaults of this exporter.
fn queue(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<QueueSettings>();
    let own = K8sEventsSettings::default().sending_queue;
    set_default(&mut schema, "queue_size", own.queue_size);
    set_default(&mut schema, "block_on_overflow", own.block_on_overflow);
    schema
}

fn set_default(schema: &mut Schema, key: &str, default: impl Into<serde_json::Value>) {
    if let Some(property) = schema.pointer_mut(&format!("/properties/{key}/default")) {
        *property = default.into();
    }
}

impl Default for K8sEventsSettings {
    fn default() -> Self {
        let kinds = [RecordKind::Finished, RecordKind::Stalled, RecordKind::Missed];
        K8sEventsSettings {
            auth_type: AuthType::default(),
            kubeconfig: None,
            context: None,
            events: kinds.map(|kind| kind.event_name().to_owned()).into(),
            outcomes: vec![Outcome::Failed.as_str().into()],
            rate: 10.0,
            burst: 50,
            retry_on_failure: RetrySettings {
                // How long the API server keeps Events by default.
                max_elapsed_time: Duration::from_secs(3600),
                ..RetrySettings::default()
            },
            sending_queue: QueueSettings {
                queue_size: 10_000,
                // Other exporters report the same Jobs, and must not wait for this one.
                block_on_overflow: false,
                ..QueueSettings::default()
            },
        }
    }
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct K8sEventsConfig {
    pub(crate) auth_type: AuthType,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) context: Option<String>,
    pub(crate) selection: EventSelection,
    pub(crate) rate: f64,
    pub(crate) burst: u32,
    pub(crate) non_retryable: BTreeSet<u16>,
    pub(crate) retry: RetrySettings,
    pub(crate) queue: QueueSettings,
}

impl K8sEventsConfig {
    /// Reads and checks the settings, without any I/O.
    pub(crate) fn read(settings: &Settings) -> Result<K8sEventsConfig, Diagnostics> {
        let mut raw: K8sEventsSettings = settings.read()?;
        own_defaults(&mut raw, settings);
        let mut errors = Vec::new();
        for (key, problem) in auth_errors(raw.auth_type, raw.kubeconfig.is_some(), raw.context.is_some()) {
            errors.push(settings.error(key, problem));
        }
        let names = RecordKind::ALL.map(RecordKind::event_name);
        let kinds = listed("events", &raw.events, &names, settings, &mut errors);
        let outcomes = listed(
            "outcomes",
            &raw.outcomes,
            &OUTCOMES.map(Outcome::as_str),
            settings,
            &mut errors,
        );
        if !(raw.rate > 0.0 && raw.rate <= HIGHEST_RATE) {
            let message = format!("found {}, expected more than 0 and at most {HIGHEST_RATE}", raw.rate);
            errors.push(settings.error("rate", message));
        }
        if !(1..=LARGEST_BURST).contains(&raw.burst) {
            let message = format!("found {}, expected 1 to {LARGEST_BURST}", raw.burst);
            errors.push(settings.error("burst", message));
        }
        errors.extend(raw.retry_on_failure.errors("retry_on_failure", settings));
        errors.extend(raw.sending_queue.errors("sending_queue", settings));
        if !raw.retry_on_failure.max_metric_point_age.get().is_zero() {
            let message = "has no effect: Events are not metrics; remove it";
            errors.push(settings.error("retry_on_failure::max_metric_point_age", message));
        }
        let non_retryable = codes(&raw.retry_on_failure, settings, &mut errors);
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        Ok(K8sEventsConfig {
            auth_type: raw.auth_type,
            kubeconfig: raw.kubeconfig,
            context: raw.context,
            selection: EventSelection {
                kinds: kinds.into_iter().filter_map(|name| RecordKind::of(&name)).collect(),
                outcomes: outcomes.iter().filter_map(|name| Outcome::from_name(name)).collect(),
            },
            rate: raw.rate,
            burst: raw.burst,
            non_retryable,
            retry: raw.retry_on_failure,
            queue: raw.sending_queue,
        })
    }
}

/// Keeps the defaults of this exporter for keys that are absent in a block with other keys.
fn own_defaults(raw: &mut K8sEventsSettings, settings: &Settings) {
    let default = K8sEventsSettings::default();
    if !settings.is_set("retry_on_failure::max_elapsed_time") {
        raw.retry_on_failure.max_elapsed_time = default.retry_on_failure.max_elapsed_time;
    }
    if !settings.is_set("sending_queue::queue_size") {
        raw.sending_queue.queue_size = default.sending_queue.queue_size;
    }
    if !settings.is_set("sending_queue::block_on_overflow") {
        raw.sending_queue.block_on_overflow = default.sending_queue.block_on_overflow;
    }
}

/// The valid names of a list that must not be empty.
fn listed(
    key: &str,
    found: &[String],
    known: &[&'static str],
    settings: &Settings,
    errors: &mut Vec<Diagnostic>,
) -> Vec<String> {
    if found.is_empty() {
        errors.push(settings.error(
            key,
            format!("found an empty list, expected some of {}", known.join(", ")),
        ));
    }
    for (index, name) in found.iter().enumerate() {
        if known.contains(&&**name) {
            continue;
        }
        let message = format!("found `{name}`, expected one of {}", known.join(", "));
        let error = settings.error(&format!("{key}::{index}"), message);
        errors.push(match nearest(name, known.iter().copied()) {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error,
        });
    }
    found.to_vec()
}

fn codes(retry: &RetrySettings, settings: &Settings, errors: &mut Vec<Diagnostic>) -> BTreeSet<u16> {
    let mut codes = BTreeSet::new();
    for (index, text) in retry.non_retryable_status_codes.iter().enumerate() {
        let message = match text.parse().ok().filter(|code| (400..=599).contains(code)) {
            Some(code) if response::may_be_retried(code) => {
                codes.insert(code);
                continue;
            }
            Some(code) => format!("{code} is never retried; remove it"),
            None => format!("found `{text}`, expected an HTTP status code such as 403"),
        };
        errors.push(settings.error(&format!("{CODES}::{index}"), message));
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<K8sEventsConfig, String> {
        K8sEventsConfig::read(&Settings::from_yaml(yaml).unwrap()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn failures_stalls_and_missed_runs_are_the_default() {
        let config = read("{}").unwrap();
        assert_eq!(
            config.selection,
            EventSelection {
                kinds: vec![RecordKind::Finished, RecordKind::Stalled, RecordKind::Missed],
                outcomes: vec![Outcome::Failed],
            }
        );
        assert_eq!((config.rate, config.burst), (10.0, 50));
    }

    #[test]
    fn a_partial_block_keeps_the_exporters_defaults() {
        for yaml in [
            "{}",
            "retry_on_failure: {initial_interval: 1s}\nsending_queue: {num_consumers: 2}",
        ] {
            let config = read(yaml).unwrap();
            assert_eq!(config.retry.max_elapsed_time, Duration::from_secs(3600), "{yaml}");
            assert_eq!(config.queue.queue_size, 10_000, "{yaml}");
            assert!(!config.queue.block_on_overflow, "{yaml}");
        }
        let yaml = "retry_on_failure: {max_elapsed_time: 0}\nsending_queue: {queue_size: 5, block_on_overflow: true}";
        let config = read(yaml).unwrap();
        assert!(config.retry.max_elapsed_time.get().is_zero());
        assert!(config.queue.queue_size == 5 && config.queue.block_on_overflow);
    }

    #[test]
    fn reports_all_errors_at_once() {
        let yaml = "auth_type: serviceAccount\ncontext: a\nevents: [k8s.job.stall]\noutcomes: [failed, Running]\n\
                    rate: 0\nburst: 0\nretry_on_failure:\n  max_metric_point_age: 1h\n  \
                    non_retryable_status_codes: [FORBIDDEN, 403, 422]\nsending_queue: {num_consumers: 0}";
        let found = read(yaml).unwrap_err();
        for expected in [
            "yaml:2:10: context: has no meaning with auth_type: serviceAccount",
            "yaml:3:10: events::0: found `k8s.job.stall`, expected one of k8s.job.finished, k8s.job.stalled",
            "did you mean `k8s.job.stalled`?",
            "yaml:4:12: outcomes::0: found `failed`, expected one of Succeeded, Failed, Deleted, Replaced",
            "did you mean `Failed`?",
            "yaml:4:20: outcomes::1: found `Running`",
            "yaml:5:7: rate: found 0, expected more than 0 and at most 1000",
            "yaml:6:8: burst: found 0, expected 1 to 10000",
            "yaml:8:25: retry_on_failure::max_metric_point_age: has no effect",
            "non_retryable_status_codes::0: found `FORBIDDEN`, expected an HTTP status code such as 403",
            "non_retryable_status_codes::2: 422 is never retried; remove it",
            "num_consumers",
        ] {
            assert!(found.contains(expected), "{expected} in:\n{found}");
        }
        for yaml in [
            "rate: .nan",
            "rate: 1001",
            "events: []",
            "outcomes: []",
            "burst: 10001",
            "rates: 1",
        ] {
            assert!(read(yaml).is_err(), "{yaml}");
        }
    }
}
