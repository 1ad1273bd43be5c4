//! Receiver `k8s_job`: watches Jobs, their Pods, their Events and CronJobs, keeps evidence as it appears, and emits
//! one event for each Job that has ended.
//!
//! * [`watch`]: lists and watches the API server; [`model`] and [`decode`] turn its bytes into lean objects.
//! * [`tracker`]: the pure state machine that holds a record for each Job and decides when it is reported.
//! * [`receiver`]: the component; feeds the one into the other and hands what is decided to the pipeline.
//! * [`replay`]: runs a recording of watches through the same decoder and tracker.
//! * [`snapshot`]: one look at a cluster through the same decoder and tracker; [`raw`]: watches as the API server
//!   sends them, for making a recording.

pub mod access;
pub mod client;
mod conditions;
pub mod config;
pub mod decode;
mod duration;
pub mod gauges;
mod lane;
pub mod model;
pub mod raw;
pub mod receiver;
pub mod replay;
pub mod snapshot;
pub mod telemetry;
pub mod tracker;
pub mod watch;

use pipeline::Signal;
use pipeline::component::{Create, Factory, Receiver};
use pipeline::config::Diagnostics;

use crate::config::Config;
use crate::receiver::JobReceiver;
use crate::telemetry::Telemetry;

/// The receiver, for the table of components.
pub fn factory() -> Factory<dyn Receiver> {
    Factory {
        type_name: "k8s_job",
        aliases: &[],
        signals: &[Signal::Logs, Signal::Metrics],
        makes: &[],
        description: "Watches Kubernetes Jobs and emits one event, with its evidence, for each finished one",
        create,
    }
}

fn create(create: &Create<'_>) -> Result<Box<dyn Receiver>, Diagnostics> {
    let config: Config = create.settings.read()?;
    let mistakes = config.mistakes().into_iter();
    let mistakes: Vec<_> = mistakes
        .map(|(key, problem)| create.settings.mistake(key, problem))
        .collect();
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    let telemetry = Telemetry::new(create.meter, create.id.to_string());
    Ok(Box::new(JobReceiver::new(config, telemetry)))
}
