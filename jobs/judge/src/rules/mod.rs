//! The rules, one file for each kind of evidence.
//!
//! [`verdict`] chooses by the verdict's reason which Pods to ask; [`attempt`] tells why a Pod failed and
//! [`blocking`] why one had not finished when time was up. They ask the others.

pub mod admission;
pub mod attempt;
pub mod blocking;
pub mod collateral;
pub mod disruption;
pub mod exit;
pub mod image;
pub mod indexes;
pub mod policy;
pub mod rejection;
pub mod retry;
pub mod scheduling;
pub mod verdict;
