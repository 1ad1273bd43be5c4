//! The rules, one file for each kind of evidence.
//!
//! [`verdict`] selects by the verdict's reason which attempts and Pods matter; [`attempt`] finds why a Pod failed, and
//! [`blocking`] why a Pod had not finished at the verdict. The others are parts of these.

pub(crate) mod admission;
pub(crate) mod attempt;
pub(crate) mod blocking;
pub(crate) mod collateral;
pub(crate) mod disruption;
pub(crate) mod exit;
pub(crate) mod image;
pub(crate) mod indexes;
pub(crate) mod policy;
pub(crate) mod rejection;
pub(crate) mod scheduling;
pub(crate) mod sides;
pub(crate) mod stage;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod verdict;
pub(crate) mod windows;
