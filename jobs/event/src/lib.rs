//! What a finished Kubernetes Job looks like to every component: the evidence that was latched while it lived,
//! its outcome, its OTLP form and the name of every attribute.
//!
//! The receiver fills [`evidence::Evidence`], the processor `reason_enrichment` judges it, connectors and
//! exporters only see the OTLP form.

pub mod attributes;
pub mod evidence;
pub mod finished;
pub mod otlp;
pub mod outcome;
pub mod trace;
pub mod uid;

pub use evidence::Evidence;
pub use finished::Finished;
pub use outcome::Outcome;
pub use uid::Uid;
