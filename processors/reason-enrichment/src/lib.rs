//! Processor `reason_enrichment`: judges why a Kubernetes Job failed and writes that into its event.
//!
//! * [`judge::judge`]: the judgement, a pure function of the evidence.
//! * [`pending::obstacle`]: what keeps a Job that has not ended from going on.
//! * [`rules`]: one file for each kind of evidence; [`cause`]: the closed set of causes, in one table.
//! * [`summary`]: the sentence for people; [`report`]: one Job explained, as a record or as text.
//! * [`encode`]: the judgement as attributes of the event; [`processor`]: the component.

pub mod attempts;
pub mod cause;
pub mod encode;
pub mod finding;
pub mod judge;
pub mod pending;
pub mod processor;
mod quote;
pub mod report;
pub mod rules;
pub mod summary;
pub mod world;

pub use cause::{Category, Cause, Retry};
pub use judge::{Judgement, judge};
pub use processor::factory;
