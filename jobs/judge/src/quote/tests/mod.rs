//! Tables of messages of real programs and runtimes, and their quotes.

mod any_text;
mod cluster;
mod logs;
mod program;
mod secret;

use super::{Origin, quoted};

/// Holds the quote of each message; a failure lists all that differ.
#[track_caller]
fn hold(origin: Origin, sentence: &str, table: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (message, expected) in table {
        let quote = quoted(message, origin, sentence);
        if quote != format!("“{expected}”") {
            wrong.push_str(&format!("{message}\n  found    {quote}\n  expected “{expected}”\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
