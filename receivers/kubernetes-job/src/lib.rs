//! Receiver `k8s_job`: feeds the watches of `job_watch` into the tracker of `job_tracker`, and emits one event for each
//! finished Job, each stall and its end, and missed runs of CronJobs.
//!
//! * [`receiver`]: the component; `session` is its loop.
//! * `checkpointing`, `checkpoint_store`: resuming, leading, saving the checkpoint.
//! * `succession`: the state that a reload moves to the next receiver.
//! * `reporting`, `events`, `gauges`: emitting events and gauges; `shutdown` drains them.

pub mod after;
mod backlog;
mod batch_sender;
mod checkpoint_store;
mod checkpointing;
pub mod config;
mod dimensions;
mod events;
pub mod extract_config;
mod gauge_limit;
pub mod gauges;
mod health;
pub mod notice_config;
pub mod owner_config;
pub mod receiver;
mod reporting;
mod session;
mod shutdown;
mod succession;
pub mod telemetry;

use std::sync::Arc;

use collector_config::{Diagnostic, Diagnostics, schema_of};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Receiver};
use collector_runtime::storage::Storage;

use crate::config::JobReceiverConfig;
use crate::notice_config::Problem;
use crate::receiver::JobReceiver;
use crate::telemetry::Telemetry;

/// The receiver, for the table of components.
pub fn factory() -> Factory<dyn Receiver> {
    Factory {
        type_name: "k8s_job",
        aliases: &[],
        signals: &[Signal::Logs, Signal::Metrics],
        makes: &[],
        description: "Watches Kubernetes Jobs and emits one event, with its evidence, for each finished Job, and events of stalled Jobs and missed runs",
        schema: schema_of::<JobReceiverConfig>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Receiver>, Diagnostics> {
    let config: JobReceiverConfig = create.settings.read()?;
    let error = |problem: Problem| {
        let error = create.settings.error(&problem.path, problem.message);
        match problem.help {
            Some(help) => error.with_help(help),
            None => error,
        }
    };
    let mut errors: Vec<_> = config.problems().into_iter().map(error).collect();
    for warning in config.extract.warnings() {
        create.settings.warn(error(warning));
    }
    let storage = storage(&config, create, &mut errors);
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    let telemetry = Telemetry::new(create.meter, create.id.to_string());
    let receiver = JobReceiver::new(config, telemetry);
    Ok(Box::new(match storage {
        Some(storage) => receiver.with_storage(storage, create.id.clone()),
        None => receiver,
    }))
}

/// The storage of the checkpoint. Its leader elector decides which replica leads, so that only the leader can write the
/// checkpoint; the receiver's own setting must name the same elector.
fn storage(config: &JobReceiverConfig, create: &Create<'_>, errors: &mut Vec<Diagnostic>) -> Option<Arc<dyn Storage>> {
    let mut wrong = |key: &str, problem: String| errors.push(create.settings.error(key, problem));
    let storage = match &*config.storage {
        "" => None,
        name => create
            .provided
            .storage(name)
            .map_err(|problem| wrong("storage", problem))
            .ok(),
    };
    if !config.k8s_leader_elector.is_empty() {
        match create.provided.leadership(&config.k8s_leader_elector) {
            Err(problem) => wrong("k8s_leader_elector", problem),
            Ok((elector, _)) if storage.as_ref().and_then(|storage| storage.leader_elector()) != Some(&elector) => {
                let found = match &*config.storage {
                    "" => "none is set".to_owned(),
                    name => format!("{name:?} does not"),
                };
                wrong(
                    "k8s_leader_elector",
                    format!(
                        "replicas must share the checkpoint: expected a storage that names the elector {elector:?} as well, \
                         {found}; set storage: k8s_storage here, and k8s_leader_elector: {elector} there",
                        elector = elector.to_string(),
                    ),
                );
            }
            Ok(_) => {}
        }
    }
    let shard = config.sharding.shard().map(|shard| shard.to_string());
    for (key, name) in [
        ("storage", &config.storage),
        ("k8s_leader_elector", &config.k8s_leader_elector),
    ] {
        if let Err(problem) = create.provided.check_shard(name, shard.as_deref()) {
            wrong(key, problem);
        }
    }
    storage
}

#[cfg(test)]
mod tests {
    use collector_config::ComponentId;
    use collector_config::Settings;
    use collector_runtime::health::Health;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::SdkMeterProvider;

    use super::*;

    /// The errors in these settings; empty if they are valid.
    fn errors(yaml: &str) -> String {
        errors_with(yaml, &collector_runtime::storage::Provided::new())
    }

    fn errors_with(yaml: &str, provided: &collector_runtime::storage::Provided) -> String {
        let id = ComponentId {
            type_name: "k8s_job".into(),
            name: None,
        };
        let made = (factory().create)(&Create {
            id: &id,
            settings: &Settings::from_yaml(yaml).unwrap(),
            meter: &SdkMeterProvider::builder().build().meter("test"),
            health: &Health::new(),
            provided,
        });
        made.err().map(|errors| errors.to_string()).unwrap_or_default()
    }

    #[test]
    fn settings_make_a_receiver() {
        assert_eq!(errors("{}"), "");
        let all = "auth_type: kubeConfig\nkubeconfig: /k\ncontext: c\nnamespaces: {include: [a, b]}\n\
            label_selector: team in (a,b)\ncluster_name: c\nsettle_time: 1.5s\ncollection_interval: 1m\n\
            on_first_start: report_finished\n\
            stalled: {enabled: true, after: 3m, causes: {Unschedulable: 30m, ImagePull: off},\n\
            \x20 running_long: {enabled: true, factor: 2.5, floor: 5m, min_runs: 5}}\n\
            missed_runs: {enabled: true, grace: 2m}\n\
            owner: {controller: true, generate_name: true, rules: [{match: '^(.+)-x$', name: $1, namespace: a, kind: B}]}\n";
        assert_eq!(errors(all), "");
    }

    #[test]
    fn errors_in_settings_are_named() {
        for (yaml, parts) in [
            ("setle_time: 1s", &["setle_time", "settle_time"][..]),
            ("namespaces: {includes: [a]}", &["includes", "include"]),
            (
                "settle_time: 1 minute",
                &["settle_time", "`1 minute` is not a duration"],
            ),
            ("settle_time: 10m", &["settle_time", "at most 5m, found 600s"]),
            ("collection_interval: 30", &["collection_interval", "30s"]),
            ("auth_type: kubeconfig", &["auth_type", "kubeConfig"]),
            (
                "stalled: {causes: {ImagePul: 1m}}",
                &["yaml:1:30: stalled::causes::ImagePul", "did you mean `ImagePull`?"],
            ),
            (
                "owner: {rules: [{label: a}, {match: '(a', name: b}]}",
                &["yaml:1:37: owner::rules::1::match", "unclosed group"],
            ),
            (
                "missed_runs: {grace: 9ms}",
                &["yaml:1:22: missed_runs::grace", "found 9ms"],
            ),
            ("label_selector: team in (a", &["label_selector", "parentheses"]),
            (
                "sharding: {shards: 4}",
                &["sharding::shard", "0 to 3", "found none", "${env:POD_NAME}"],
            ),
            (
                "sharding: {shards: 4, shard: 4}",
                &["yaml:1:30: sharding::shard", "found \"4\""],
            ),
            (
                "sharding: {shards: 99, shard: a-1}",
                &["yaml:1:20: sharding::shards", "1 to 64 shards, found 99"],
            ),
            (
                "sharding: {shards: 2, shard: 0, by: uid}",
                &["sharding::by", "namespace"],
            ),
            (
                "sharding: {shards: 2, shard: a-0}\nnamespaces: {include: [a]}",
                &["yaml:1:11: sharding", "namespaces::include"],
            ),
            (
                "namespaces: {include: [a], exclude: [a]}",
                &["namespaces::exclude", "\"a\" is included as well"],
            ),
        ] {
            let text = errors(yaml);
            for part in parts {
                assert!(text.contains(part), "{yaml}: {part:?} is missing in: {text}");
            }
        }
        let both = errors("label_selector: a)\ncluster_name: ''\n");
        assert!(both.contains("line 1") || both.contains(":1:"), "{both}");
        assert!(
            both.contains("label_selector") && both.contains("cluster_name"),
            "{both}"
        );
    }

    #[test]
    fn shards_need_objects_of_their_own() {
        use collector_runtime::storage::{ClusterWide, Leadership, Offer, Provided, memory::MemoryStorage};
        let provided = |shard: Option<&str>, cluster_wide: bool| {
            let mut provided = Provided::new();
            let id = ComponentId {
                type_name: "k8s_storage".into(),
                name: None,
            };
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new().replica(
                ComponentId {
                    type_name: "k8s_leader_elector".into(),
                    name: None,
                },
                Leadership(tokio::sync::watch::Sender::new(true).subscribe()),
            ));
            let offer = Offer {
                storage: Some(storage),
                cluster_wide: cluster_wide.then(|| ClusterWide {
                    shard: shard.map(str::to_owned),
                }),
                ..Offer::default()
            };
            provided.add(id, offer);
            provided
        };
        let sharded = "storage: k8s_storage\nsharding: {shards: 4, shard: 1}";
        assert_eq!(errors_with(sharded, &provided(Some("1 of 4"), true)), "");
        assert_eq!(errors_with(sharded, &provided(None, false)), "", "files of its own");
        for (yaml, shard, parts) in [
            (
                sharded,
                None,
                ["of shard 1 of 4", "that of no shard", "extensions::k8s_storage"],
            ),
            (
                sharded,
                Some("1 of 2"),
                ["of shard 1 of 4", "that of shard 1 of 2", "same `sharding`"],
            ),
            (
                "storage: k8s_storage",
                Some("1 of 2"),
                ["of no shard", "that of shard 1 of 2", "storage: each shard"],
            ),
        ] {
            let found = errors_with(yaml, &provided(shard, true));
            assert!(parts.iter().all(|part| found.contains(part)), "{found}");
        }
    }
}
