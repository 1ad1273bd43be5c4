//! Texts of runtimes, registries, schedulers, autoscalers and webhooks that say more than the reason of their Event or status.
//!
//! One file for each family. A row names the texts, the cause, the effect of a retry, the next step and its source. The first
//! row that matches wins, so specific rows come first. [`FAMILIES`] lists all of them for `docs/texts.md`.

mod admission;
mod autoscaler;
mod device;
mod eviction;
mod image;
mod message;
mod rejection;
mod sandbox;
mod scheduler;
mod start;
mod status;
mod storage;
mod volume;

pub(crate) use admission::ADMISSION;
pub(crate) use autoscaler::{AUTOSCALER, NODE_REQUESTED_NEXT_STEP};
pub(crate) use device::DEVICE;
pub(crate) use eviction::EVICTION;
pub(crate) use image::IMAGE;
pub(crate) use rejection::REJECTION;
pub(crate) use sandbox::SANDBOX;
pub(crate) use scheduler::SCHEDULER;
pub(crate) use start::{COMMAND_NEXT_STEP, PLATFORM_NEXT_STEP, config_text, memory_text, runtime_text};
pub(crate) use storage::STORAGE;
pub(crate) use volume::VOLUME;

use self::message::Message;
use crate::category::Retry;
use crate::cause::Cause;

/// A known text in a message of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownText {
    /// Any of these, in lower case; `*` stands for any characters between two parts, and `http 403` or `http 5xx` for that
    /// status code in any wording, but not for the number in a digest, a port or a name.
    pub says: &'static [&'static str],
    /// The cause that it proves.
    pub cause: Cause,
    /// The effect of running the Job again without a change.
    pub retry: Retry,
    /// The next step: one sentence.
    pub next_step: &'static str,
    /// Where the text comes from: a source file, a reference page or a public report.
    pub source: &'static str,
}

/// A row of a family with several causes.
const fn row(
    says: &'static [&'static str],
    cause: Cause,
    retry: Retry,
    next_step: &'static str,
    source: &'static str,
) -> KnownText {
    KnownText {
        says,
        cause,
        retry,
        next_step,
        source,
    }
}

/// The known texts of one kind of message.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The title in the documentation.
    pub name: &'static str,
    /// The messages in which the texts are searched: one sentence.
    pub searched_in: &'static str,
    /// The rows, specific ones first.
    pub texts: &'static [KnownText],
}

/// All families.
pub const FAMILIES: &[&Family] = &[
    &ADMISSION,
    &SCHEDULER,
    &AUTOSCALER,
    &IMAGE,
    &VOLUME,
    &STORAGE,
    &SANDBOX,
    &DEVICE,
    &REJECTION,
    &EVICTION,
    &start::DEVICES,
    &start::RUNTIME_OWN,
    &start::COMMAND,
    &start::MEMORY,
    &start::CONFIG,
    &start::RUNTIME,
    &start::KUBELET,
];

impl Family {
    /// The first row that matches the message, without regard to case.
    pub(crate) fn find(&self, message: &str) -> Option<&'static KnownText> {
        find_in(&[self], message)
    }

    /// The place of the first row that matches the message.
    pub(crate) fn place(&self, message: &str) -> Option<usize> {
        let row = self.find(message)?;
        self.texts.iter().position(|other| other == row)
    }
}

/// The first row of several families that matches the message, without regard to case.
fn find_in(families: &[&Family], message: &str) -> Option<&'static KnownText> {
    if message.is_empty() {
        return None;
    }
    let message = Message::new(message);
    let mut texts = families.iter().flat_map(|family| family.texts);
    texts.find(|row| row.says.iter().any(|pattern| message.contains(pattern)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_complete() {
        for family in FAMILIES {
            assert!(family.searched_in.ends_with('.'), "{}", family.name);
            for row in family.texts {
                assert!(!row.says.is_empty() && !row.source.is_empty(), "{row:?}");
                assert!(row.next_step.ends_with('.'), "{row:?}");
                for pattern in row.says {
                    assert!(
                        pattern.len() >= 5 && *pattern == pattern.to_ascii_lowercase(),
                        "{pattern:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_row_hides_a_later_one() {
        let mut hidden = Vec::new();
        for family in FAMILIES {
            for row in family.texts {
                for pattern in row.says.iter().filter(|pattern| !pattern.starts_with("http ")) {
                    let found = family.find(&pattern.replace('*', " x "));
                    if !found.is_some_and(|found| std::ptr::eq(found, row)) {
                        hidden.push(format!(
                            "{}: {pattern:?} by {:?}",
                            family.name,
                            found.map(|row| row.says)
                        ));
                    }
                }
            }
        }
        assert!(hidden.is_empty(), "{}", hidden.join("\n"));
    }
}
