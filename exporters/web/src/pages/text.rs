//! Text from the cluster. `maud` escapes markup; characters that change the direction of text, or control a terminal into
//! which a person pastes it, are shown as escapes.

use escape::{lines, one_line};
use maud::{Markup, html};

/// The longest text that is shown whole, characters. The rest of a longer one is folded.
const SHOWN: usize = 400;
/// The longest text that a page contains, characters: the JSON API has the whole text.
const WHOLE: usize = 20_000;

/// A name or a short text, on one line.
pub(super) fn name(text: &str) -> String {
    cut(&one_line(text), SHOWN)
}

/// A sentence: whole, or its beginning with the whole sentence below a fold.
pub(super) fn sentence(text: &str) -> Markup {
    folded(&one_line(text))
}

/// A message of several lines, such as the end of a log; shown in a block that keeps its lines.
pub(super) fn message(text: &str) -> Markup {
    let text = lines(text);
    html! { div.quote { (folded(&text)) } }
}

/// A text of several lines, at most `characters` of it.
pub(super) fn block(text: &str, characters: usize) -> String {
    cut(&lines(text), characters)
}

/// A text within a list: at most `characters`, and the whole text is on the page that the list links to.
pub(super) fn excerpt(text: &str, characters: usize) -> String {
    cut(&one_line(text), characters)
}

fn folded(text: &str) -> Markup {
    match text.chars().nth(SHOWN) {
        None => html! { (text) },
        Some(_) => html! {
            (cut(text, SHOWN))
            details {
                summary { "Whole text, " (super::words::count(text.chars().count() as u64, "character")) }
                (cut(text, WHOLE))
            }
        },
    }
}

/// At most `characters` of a text, with an ellipsis in place of the rest.
fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_bidi_characters_become_text() {
        let shown = sentence("<script>alert(1)</script> \u{202e}gpj.exe\u{1b}[2J").into_string();
        assert_eq!(
            shown,
            "&lt;script&gt;alert(1)&lt;/script&gt; \\u{202e}gpj.exe\\u{1b}[2J"
        );
    }

    #[test]
    fn long_text_is_folded_and_whole() {
        let text = "a".repeat(SHOWN) + "end";
        let shown = sentence(&text).into_string();
        assert!(shown.contains("<details>"), "{shown}");
        assert!(shown.contains("Whole text, 403 characters"), "{shown}");
        assert!(shown.contains(&text), "the whole text is reachable");
        assert!(!sentence(&"a".repeat(SHOWN)).into_string().contains("<details>"));
    }

    #[test]
    fn endless_text_is_cut() {
        let shown = message(&"ä".repeat(WHOLE * 2)).into_string();
        assert!(shown.len() < WHOLE * 3, "{}", shown.len());
    }

    #[test]
    fn messages_keep_their_lines() {
        assert_eq!(message("a\nb").into_string(), "<div class=\"quote\">a\nb</div>");
    }
}
