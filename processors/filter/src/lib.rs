//! Processor `filter`: drops log records, metrics, points and spans that match a condition.

mod processor;
mod selection;
mod settings;

pub use processor::factory;
