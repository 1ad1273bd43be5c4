//! OTLP data between components, and the acknowledgement that its sender receives.
//!
//! * [`batch`] and [`ack`]: data of one signal with its acknowledgement.
//! * [`points`]: metric points of every kind.
//! * [`proto`] and [`json`]: the two forms of an export request.
//! * [`split`]: cuts data into smaller pieces.
//! * [`temporality`]: turns deltas into totals.
//! * [`cardinality`]: limits the series of each metric.

pub mod ack;
pub mod batch;
pub mod cardinality;
pub mod json;
pub mod points;
pub mod proto;
pub mod split;
pub mod temporality;

pub use ack::{Ack, Delivery, Outcome};
pub use batch::{Batch, Payload, Signal};
