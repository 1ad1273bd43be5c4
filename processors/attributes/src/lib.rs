//! Processor `attributes`: changes the attributes of log records, metric points and spans.

mod processor;

pub use processor::factory;
