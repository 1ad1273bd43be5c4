//! The tracker, fed with recordings and with each test's own objects.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used)]

mod corpus;
mod early;
mod extracted;
mod foreign;
mod gone_pods;
mod lists;
mod manual_selector;
mod missed;
mod missed_recordings;
mod once;
mod origin;
mod owners;
mod relisted;
mod settle;
mod shapes;
mod stalls;
mod watermark;
mod year;
