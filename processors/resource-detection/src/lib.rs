//! Processor `resourcedetection`: adds attributes from the environment to resources.
//!
//! [`environment`] reads the variables; [`processor`] is the component.

mod environment;
mod processor;
mod tags;

pub use processor::factory;
