//! Conditions and statements in components: the part that the processors `filter` and `transform` share.
//!
//! * [`ErrorMode`], [`Entry`], [`Texts`]: the settings, with an error at the wrong word of each text.
//! * [`Conditions`], [`Failures`]: evaluation, and its errors in the log and in a metric.
//! * [`ResourceItems`], [`ScopeItems`], [`OttlItem`]: OTLP data of every signal as a tree.

mod conditions;
mod entry;
mod error_mode;
mod failures;
mod texts;
mod tree;

pub use conditions::Conditions;
pub use entry::Entry;
pub use error_mode::ErrorMode;
pub use failures::Failures;
pub use texts::Texts;
pub use tree::{OttlItem, ResourceItems, ScopeItems};
