//! OTLP data between components, and how its sender learns the outcome.
//!
//! * [`batch`] and [`ack`]: data of one signal with its acknowledgement.
//! * [`split`]: cuts data into smaller pieces.
//! * [`temporality`]: turns deltas into totals.

pub mod ack;
pub mod batch;
pub mod split;
pub mod temporality;

pub use ack::{Ack, Delivery, Outcome};
pub use batch::{Batch, Payload, Signal};
