//! Fits lines to the columns of a terminal.

use unicode_width::UnicodeWidthChar;

/// The most columns of an excerpt; with its prefix it fits into 80.
const LONGEST: usize = 66;

/// The columns of a terminal that a character takes: 2 for one of East Asia.
pub(crate) fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// At most [`LONGEST`] columns with the character at `column` among them, and its place in the result.
pub(crate) fn window(text: &str, column: usize) -> (String, usize) {
    let characters: Vec<char> = text.chars().collect();
    let length = characters.len();
    if characters.iter().copied().map(columns).sum::<usize>() <= LONGEST {
        return (text.to_owned(), column);
    }
    let width = |from: usize, to: usize| characters[from..to].iter().copied().map(columns).sum::<usize>();
    let mut from = column.min(length);
    while from > 0 && width(from - 1, column.min(length)) <= LONGEST / 2 {
        from -= 1;
    }
    let mut to = from;
    while to < length && width(from, to + 1) <= LONGEST {
        to += 1;
    }
    while from > 0 && width(from - 1, to) <= LONGEST {
        from -= 1;
    }
    let mut shown = characters[from..to].to_vec();
    if let Some(first) = shown.first_mut().filter(|_| from > 0) {
        *first = '…';
    }
    if let Some(last) = shown.last_mut().filter(|_| to < length) {
        *last = '…';
    }
    (shown.into_iter().collect(), column.saturating_sub(from))
}

/// The text in lines of at most `width` characters, broken between words. Text between backticks is one word.
pub(crate) fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut lines = vec![String::new()];
    let mut quoted = false;
    let words = text.split(|c: char| {
        quoted ^= c == '`';
        c == ' ' && !quoted
    });
    for word in words {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_character_and_fits() {
        let wide = "日".repeat(100);
        let mixed = format!("{}b{}", "a".repeat(90), "日".repeat(40));
        for (text, column) in [(&wide, 0), (&wide, 50), (&wide, 99), (&mixed, 90), (&mixed, 130)] {
            let (shown, at) = window(text, column);
            let width: usize = shown.chars().map(columns).sum();
            assert!(width <= LONGEST && width > LONGEST - 4, "{width} {shown}");
            if column == 90 {
                assert_eq!(shown.chars().nth(at), Some('b'), "{shown}");
            }
            assert!(at <= shown.chars().count(), "{shown}");
        }
    }
}
