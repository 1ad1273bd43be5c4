//! A Kubernetes API and an OTLP intake on loopback, for the demo, the tests and the benchmarks.
//!
//! [`Simulator`] serves a [`Store`] over HTTP as `kube-apiserver` does, and goes wrong on command ([`faults`]).
//! [`otlp_intake`] receives OTLP over HTTP and keeps Datadog's rules.

mod api;
pub mod faults;
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
pub use faults::{Answer, Cut, Matching};
pub use ids::Ids;
pub use jobs::{Scenario, demo_scenarios};
pub use player::Player;
pub use requests::Request;
pub use resource::{ChangeType, Resource};
pub use simulator::{Simulator, SimulatorOptions};
pub use store::{Store, StoreError, StoreOptions};
pub use timeline::Step;
