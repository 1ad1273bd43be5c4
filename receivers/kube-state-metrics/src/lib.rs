//! Receiver `kube_state_metrics`: the state of every Job and CronJob under the names of kube-state-metrics.
//!
//! * [`state`]: the series of each object. Pure.
//! * [`receiver`]: the component; `feed` sends what changed.
//!
//! The names are Prometheus names, so every metric carries [`PROMETHEUS_TYPE`](state::PROMETHEUS_TYPE) in its metadata.

pub mod config;
mod feed;
pub mod receiver;
pub mod state;

use collector_config::{Diagnostics, schema_of};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Receiver};
use job_watch::telemetry::WatchTelemetry;

use crate::config::KubeStateConfig;
use crate::receiver::KubeStateReceiver;

/// The factory of receiver `kube_state_metrics`.
pub fn factory() -> Factory<dyn Receiver> {
    Factory {
        type_name: "kube_state_metrics",
        aliases: &[],
        signals: &[Signal::Metrics],
        makes: &[],
        description: "Reports the state of Jobs and CronJobs under the names of kube-state-metrics",
        schema: schema_of::<KubeStateConfig>,
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Receiver>, Diagnostics> {
    let config: KubeStateConfig = create.settings.read()?;
    let errors = config.errors().into_iter();
    let mut errors: Vec<_> = errors
        .map(|(key, problem)| create.settings.error(key, problem))
        .collect();
    let leadership = match &*config.k8s_leader_elector {
        "" => None,
        elector => match create.provided.leadership(elector) {
            Ok((_, leadership)) => Some(leadership),
            Err(problem) => {
                errors.push(create.settings.error("k8s_leader_elector", problem));
                None
            }
        },
    };
    let shard = config.sharding.shard().map(|shard| shard.to_string());
    let checked = create
        .provided
        .check_shard(&config.k8s_leader_elector, shard.as_deref());
    errors.extend(
        checked
            .err()
            .map(|problem| create.settings.error("k8s_leader_elector", problem)),
    );
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    let telemetry = WatchTelemetry::new(create.meter, create.id.to_string());
    Ok(Box::new(KubeStateReceiver::new(config, telemetry, leadership)))
}
