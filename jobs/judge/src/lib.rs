//! Judges why a Kubernetes Job failed: a pure function from evidence to reason, cause, category, retry and a sentence.
//!
//! * [`judge()`]: the judgement of a finished Job; [`judge_at`]: the state of an unfinished one.
//! * [`stall()`]: why an unfinished Job makes no progress, and since when; [`running_long`]: runs longer than usual.
//! * `cause.rs`: the closed set of causes, in one table; `rules/`: one file for each kind of evidence; `advice.rs`: the clause,
//!   the retry and the next step.
//! * [`texts`]: known texts of the cluster, one file for each family; `side_containers/`: the table of well-known side containers.
//! * `summary.rs`, `clause.rs`: the sentence for people; `quote/`: messages in it; [`report`]: one Job explained, as a record or
//!   as text.

mod advice;
mod attempts;
mod case;
mod category;
mod cause;
mod clause;
mod finding;
mod judge;
mod pending;
mod quote;
pub mod report;
mod rules;
mod side_containers;
mod stall;
mod summary;
pub mod texts;

pub use attempts::AttemptOutcome;
pub use category::{Category, Retry};
pub use cause::{CAUSES, Cause, CauseInfo};
pub use judge::{JudgedAttempt, Judgement, Quality, judge};
pub use pending::judge_at;
pub use side_containers::{SIDE_CONTAINERS, SideContainer};
pub use stall::{Stall, UsualRuns, running_long, stall};
