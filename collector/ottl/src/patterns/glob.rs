//! Globs of `replace_match` and `replace_all_matches` as regular expressions: `*`, `?`, `[a-z]`, `[!a-z]` and `{one,two}`.

/// Translates a glob, which matches a whole text; the error is the reason why it is invalid.
pub(super) fn translate(glob: &str) -> Result<String, String> {
    let mut out = String::from(r"\A(?s:");
    let mut open = 0_usize;
    let mut rest = glob.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '{' => {
                open += 1;
                out.push_str("(?:");
            }
            '}' if open > 0 => {
                open -= 1;
                out.push(')');
            }
            ',' if open > 0 => out.push('|'),
            '[' => {
                let mut class: Vec<char> = Vec::new();
                loop {
                    match rest.next() {
                        Some(']') if !class.is_empty() => break,
                        Some('\\') => class.extend(rest.next()),
                        Some(c) => class.push(c),
                        None => return Err("missing closing `]`".to_owned()),
                    }
                }
                push_class(&mut out, &class);
            }
            '\\' => match rest.next() {
                Some(c) => push(&mut out, c),
                None => return Err("a backslash at the end".to_owned()),
            },
            _ => push(&mut out, c),
        }
    }
    if open > 0 {
        return Err("missing closing `}`".to_owned());
    }
    out.push_str(r")\z");
    Ok(out)
}

fn push(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

fn push_class(out: &mut String, class: &[char]) {
    let (negated, class) = match class {
        ['!', rest @ ..] if !rest.is_empty() => (true, rest),
        other => (false, other),
    };
    out.push_str(if negated { "[^" } else { "[" });
    for (index, c) in class.iter().enumerate() {
        let range = *c == '-' && index > 0 && index + 1 < class.len();
        if range {
            out.push('-');
        } else {
            out.push_str(&format!("\\x{{{:x}}}", u32::from(*c)));
        }
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (glob, text, expected) in [
            ("*", "anything\nat all", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("{one,two*}", "two more", true),
            ("{one,two}", "three", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a.b", "axb", false),
            ("/users/*/list", "/users/1/2/list", true),
        ] {
            let regex = translate(glob).map(|pattern| regex::Regex::new(&pattern));
            let Ok(Ok(regex)) = regex else { panic!("{glob}") };
            assert_eq!(regex.is_match(text), expected, "{glob} {text}");
        }
        for glob in ["[a", "{a", r"a\"] {
            assert!(translate(glob).is_err(), "{glob}");
        }
    }
}
