//! Processor `reason_enrichment`: writes into the event of a failed Kubernetes Job why it failed.
//!
//! [`encode`] turns a judgement into attributes of the event; [`processor`] is the component.

pub mod encode;
pub mod processor;

pub use processor::factory;
