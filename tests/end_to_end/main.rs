//! The real binary: its commands, and its pipelines between a simulated cluster and simulated backends, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy's exception for tests does not reach their helpers"
)]

mod backends;
mod cli;
#[path = "../support/cluster.rs"]
mod cluster;
mod credentials;
mod demo;
#[path = "../support/deployment.rs"]
mod deployment;
mod explain;
mod explain_collector;
mod explain_cronjob;
mod explain_events;
mod explain_refused;
mod explain_several;
mod explain_stalled;
mod explain_unanswered;
mod explain_watch;
mod http;
mod k8s_events;
mod late_recordings;
mod old_servers;
#[path = "../support/older.rs"]
mod older;
#[path = "../support/oracle.rs"]
mod oracle;
mod playing;
mod process;
mod prometheus;
mod proxies;
mod recipes;
mod record;
mod reload;
mod sharding;
mod status;
#[path = "../support/stories/mod.rs"]
#[allow(dead_code, reason = "the verdict of each story is another test's")]
mod stories;
#[path = "../support/mod.rs"]
mod support;
mod traces;
mod validate;
mod wrong_values;
