//! Stalled Jobs: each stall is reported once, and each reported one recovers once.

mod cluster;
mod gap;
mod long;
mod many;
mod owner;
mod rare;
mod report;
mod restart;
mod script;
