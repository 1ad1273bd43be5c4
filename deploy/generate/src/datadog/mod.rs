//! The dashboard and the monitors of Datadog, for its API and for Terraform. `docs/datadog.md` has the names of tags.

pub mod dashboard;
pub mod monitors;
pub mod query;
mod widget;
