//! The pace of retries and of repeated log lines. Pure: time and randomness are passed in.
//!
//! * [`Backoff`]: how long to wait before a retry.
//! * [`LogPace`]: when to log a failure that repeats.
//! * [`Random`]: fractions that spread delays over replicas.

mod backoff;
mod log;
mod random;

pub use backoff::Backoff;
pub use log::{Line, LogPace, Over, lock};
pub use random::Random;
