//! A finished Kubernetes Job as data: the evidence collected while the Job lived, its outcome, its OTLP form and the name of
//! every attribute.
//!
//! The receiver fills [`evidence::Evidence`], the processor `reason_enrichment` judges it, connectors and exporters read
//! only the OTLP form.
//!
//! # The forms of a Job
//!
//! From a line of the watch to the request of an exporter, a Job takes these forms:
//!
//! | | form | made by |
//! |---|---|---|
//! | 1 | a line of the watch, JSON | Kubernetes |
//! | 2 | the object with the fields that matter | `job_watch::decode` |
//! | 3 | the tracker's record | `job_tracker` |
//! | 4 | [`Evidence`] | `job_tracker`, at the verdict; again `reason_enrichment` |
//! | 5 | a log record with the evidence as `AnyValue` | [`otlp::encode`]; the judgement is added in place |
//! | 6 | the judgement | `job_judge` |
//! | 7 | the export request, protobuf or JSON | the exporter |
//! | 8 | the compressed request | the exporter |
//!
//! Evidence becomes an `AnyValue` and is read from it by serde ([`any_value`]); it never becomes JSON in between.

pub mod any_value;
pub mod attributes;
pub mod detail;
pub mod evidence;
pub mod finished;
pub mod missed;
mod missed_summary;
pub mod notice;
pub mod otlp;
pub mod outcome;
pub mod secrets;
pub mod span;
pub mod trace;
pub mod uid;

pub use detail::MessageDetail;
pub use evidence::Evidence;
pub use finished::Finished;
pub use missed::Missed;
pub use notice::Notice;
pub use outcome::Outcome;
pub use uid::Uid;
