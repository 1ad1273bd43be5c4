//! A Kubernetes API and an OTLP intake on loopback, for the demo, the tests and the benchmarks.
//!
//! [`Simulator`] serves an [`ObjectStore`] over HTTP as `kube-apiserver` does, with scripted faults ([`Fault`]). A
//! [`Player`] plays [`TimelineStep`]s into the store: a [`recording`] of a real cluster, or a [`Scenario`], a manifest with a
//! script of what happens to its Pods. [`otlp_intake`] receives OTLP over HTTP and gRPC and applies the rules of a backend.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::{Ids, Player, Simulator, SimulatorOptions, demo_scenarios, timeline};
//!
//! let simulator = Simulator::start(SimulatorOptions::default()).await?;
//! let (start, mut ids) = (jiff::Timestamp::now(), Ids::new(1));
//! let scenarios = demo_scenarios()?;
//! let steps = timeline::together(scenarios.iter().map(|scenario| scenario.timeline(start, &mut ids)));
//! Player::new(simulator.store().clone(), steps).play(10.0).await;
//! simulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

#![warn(unreachable_pub)]

mod api;
mod faults;
mod forward_proxy;
mod ids;
mod jobs;
pub mod otlp_intake;
mod player;
pub mod recording;
mod requests;
mod resource;
mod simulator;
mod store;
pub mod timeline;

pub use api::{ApiToken, Verb};
pub use faults::{Cut, Fault, Isolation, Matching};
pub use forward_proxy::{ForwardProxy, ForwardProxyOptions, ProxiedRequest};
pub use ids::Ids;
pub use jobs::{
    Ending, GeneratedCronJob, GeneratedJob, JobGenerator, Obstacle, Scenario, ScenarioError, StuckJob, demo_scenarios,
};
pub use player::Player;
pub use requests::ApiRequest;
pub use resource::{ChangeType, Resource};
pub use simulator::{ProtobufSupport, Simulator, SimulatorOptions};
pub use store::{ObjectStore, StoreError, StoreOptions};
pub use timeline::TimelineStep;

/// Locks a mutex, also after a panic of another thread that held it.
pub(crate) fn locked<T: ?Sized>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
