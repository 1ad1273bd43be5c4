//! Conditions and statements in components: the part that the processors `filter` and `transform` share.
//!
//! * [`ErrorMode`], [`TextOrGroup`], [`Texts`]: the settings, with an error at the wrong word of each text.
//! * [`Conditions`], [`Failures`]: evaluation, and its errors in the log and in a metric.
//! * [`ResourceItems`], [`ScopeItems`], [`OttlItem`]: OTLP data of every signal as a tree.

mod conditions;
mod error_mode;
mod failures;
mod text_or_group;
mod texts;
mod tree;

pub use conditions::Conditions;
pub use error_mode::ErrorMode;
pub use failures::Failures;
pub use text_or_group::TextOrGroup;
pub use texts::Texts;
pub use tree::{OttlItem, ResourceItems, ScopeItems};
