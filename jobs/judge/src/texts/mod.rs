//! Texts of runtimes, registries, schedulers, autoscalers and webhooks that say more than the reason beside them.
//!
//! One file for each family. A row names the texts, the cause, the effect of a retry, the next step and its source. The first
//! row that matches wins, so specific rows come first. [`FAMILIES`] lists all of them for `docs/texts.md`.

use crate::category::Retry;
use crate::cause::Cause;

/// A known text in a message of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownText {
    /// Any of these, in lower case; `*` stands for any characters between two parts.
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
pub const FAMILIES: [&Family; 0] = [];

impl Family {
    /// The first row that matches the message, without regard to case.
    pub(crate) fn find(&self, message: &str) -> Option<&'static KnownText> {
        let message = message.to_ascii_lowercase();
        let mut texts = self.texts.iter();
        texts.find(|row| row.says.iter().any(|pattern| contains(&message, pattern)))
    }
}

/// True if the parts of the pattern, which `*` separates, follow each other in the text.
fn contains(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_parts_in_order() {
        assert!(contains("no match for platform in manifest", "no match*manifest"));
        assert!(!contains("manifest has no match", "no match*manifest"));
        assert!(contains("x", ""));
    }

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
}
