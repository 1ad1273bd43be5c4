//! Processor `resource`: changes the attributes of resources.

mod processor;

pub use processor::factory;
