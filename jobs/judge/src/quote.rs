//! Text from the cluster, in a form that fits into a sentence.

/// The most characters of a quoted message.
const MAX_QUOTED: usize = 300;

/// A message on one line: runs of white space become one space, other control characters are escaped, and a text longer
/// than `max` characters is cut and ends in `…`.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max));
    let mut length = 0;
    for word in text.split_whitespace() {
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        for character in word.chars() {
            if length >= max {
                line.truncate(line.trim_end().len());
                line.push('…');
                return line;
            }
            if is_unprintable(character) {
                let escaped = character.escape_unicode();
                length += escaped.len();
                line.extend(escaped);
            } else {
                line.push(character);
                length += 1;
            }
        }
    }
    line
}

/// A message in quotation marks, on one line and limited in length, without the full stop or colon at its end. The marks
/// are curly because messages often contain straight ones.
pub(crate) fn quoted(text: &str) -> String {
    let line = one_line(text, MAX_QUOTED);
    format!("“{}”", line.trim_end_matches(['.', ':', ' ']))
}

/// True for control characters, and for those that change the direction of the text and so disguise a line.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A duration for people: `0.4 s`, `10 s`, `2 min 5 s`, `3 h 4 min`, `2 d 1 h`.
pub(crate) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round();
    if seconds > 0.0 && seconds < 1.0 {
        return format!("{seconds:.1} s");
    }
    if !whole.is_finite() {
        return "an unknown time".into();
    }
    let whole = whole as u64;
    let two = |major: u64, major_unit: &str, minor: u64, minor_unit: &str| {
        if minor == 0 {
            format!("{major} {major_unit}")
        } else {
            format!("{major} {major_unit} {minor} {minor_unit}")
        }
    };
    match whole {
        0..=59 => format!("{whole} s"),
        60..=3599 => two(whole / 60, "min", whole % 60, "s"),
        3600..=86_399 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_one_line_of_limited_length() {
        assert_eq!(one_line("  a\n\tb \r\n c  ", 300), "a b c");
        assert_eq!(one_line("a\u{1b}[31mred\u{0}", 300), "a\\u{1b}[31mred\\u{0}");
        assert_eq!(one_line("x\u{202e}y", 300), "x\\u{202e}y");
        assert_eq!(one_line("ääää", 3), "äää…");
        assert_eq!(one_line("äää", 3), "äää");
        assert_eq!(one_line("aa bb", 3), "aa…");
        assert_eq!(quoted(&"z".repeat(5000)).chars().count(), MAX_QUOTED + 3);
        assert_eq!(one_line("", 3), "");
        assert_eq!(quoted("exceeds the limit \"4Mi\". "), "“exceeds the limit \"4Mi\"”");
    }

    #[test]
    fn durations_have_the_two_largest_units() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.4, "0.4 s"),
            (10.0, "10 s"),
            (59.6, "1 min"),
            (125.0, "2 min 5 s"),
            (3600.0, "1 h"),
            (11_065.0, "3 h 4 min"),
            (176_400.0, "2 d 1 h"),
            (-3.0, "0 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(span(f64::INFINITY), "an unknown time");
    }
}
