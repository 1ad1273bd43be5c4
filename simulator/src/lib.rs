//! A Kubernetes API and an OTLP intake on loopback, for the demo, the tests and the benchmarks.
//!
//! [`Simulator`] serves a [`Store`] over HTTP as `kube-apiserver` does, and goes wrong on command ([`faults`]). What
//! happens to the objects is a list of [`Step`]s, which a [`Player`] plays into the store: a [`recording`] of a real
//! cluster, or a [`Scenario`], a manifest with a script of what becomes of its Pods ([`jobs`]). [`otlp_intake`] receives OTLP over HTTP
//! and keeps Datadog's rules.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::{Ids, Player, Simulator, SimulatorOptions, demo_scenarios, timeline};
//!
//! let simulator = Simulator::start(SimulatorOptions::default()).await?;
//! let (start, mut ids) = (jiff::Timestamp::now(), Ids::new(1));
//! let scenarios = demo_scenarios()?;
//! let story = timeline::together(scenarios.iter().map(|scenario| scenario.timeline(start, &mut ids)));
//! Player::new(simulator.store().clone(), story).play(10.0).await;
//! simulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod api;
pub mod faults;
mod forward_proxy;
mod ids;
pub mod jobs;
pub mod otlp_intake;
mod player;
pub mod recording;
mod requests;
pub mod resource;
mod simulator;
pub mod store;
pub mod timeline;

pub use api::{Rule, Token, Verb};
pub use faults::{Answer, Cut, Isolation, Matching};
pub use forward_proxy::{ForwardProxy, ForwardProxyOptions, Proxied};
pub use ids::Ids;
pub use jobs::{Fate, Life, Lives, Scenario, demo_scenarios};
pub use player::Player;
pub use requests::Request;
pub use resource::{ChangeType, Resource};
pub use simulator::{Simulator, SimulatorOptions};
pub use store::{Store, StoreError, StoreOptions};
pub use timeline::Step;
