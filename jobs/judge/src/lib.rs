//! Judges why a Kubernetes Job failed: a pure function from evidence to reason, cause, category, retry and a sentence.
//!
//! * [`judge::judge`]: the judgement of a finished Job.
//! * [`pending::obstacle`]: the cause that keeps an unfinished Job from making progress.
//! * [`rules`]: one file for each kind of evidence; [`cause`]: the closed set of causes, in one table.
//! * [`summary`]: the sentence for people; [`report`]: one Job explained, as a record or as text.

pub mod attempts;
pub mod cause;
pub mod finding;
pub mod judge;
pub mod pending;
mod quote;
pub mod report;
pub mod rules;
pub mod summary;
pub mod world;

pub use cause::{Category, Cause, Retry};
pub use judge::{Judgement, judge};
