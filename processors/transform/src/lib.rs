//! Processor `transform`: changes log records, metrics, points and spans with statements.

mod processor;
mod settings;
mod statements;

pub use processor::factory;
