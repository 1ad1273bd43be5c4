//! The pages of the exporter `web` in Chromium: the real binary watches a simulated cluster, and chromedriver drives the browser.
//! Skipped, with a message, without chromedriver and Chromium; `CHROMEDRIVER` and `CHROMIUM` name other programs than those in
//! `PATH`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy's exception for tests does not reach their helpers"
)]

mod browser;
#[path = "../support/cluster.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod cluster;
mod cluster_history;
mod collector;
mod everywhere;
mod hostile;
#[path = "../end_to_end/http.rs"]
mod http;
mod interaction;
#[path = "../support/oracle.rs"]
mod oracle;
mod prefix_proxy;
