//! HTTP status codes in messages: a number counts only beside a word for a status or beside the code's own phrase.

/// The status codes that known texts name, with the first word of their phrases (RFC 9110, section 15).
const PHRASES: [(&str, &str); 10] = [
    ("401", "unauthorized"),
    ("403", "forbidden"),
    ("404", "not"),
    ("408", "request"),
    ("412", "precondition"),
    ("429", "too"),
    ("500", "internal"),
    ("502", "bad"),
    ("503", "service"),
    ("504", "gateway"),
];

/// True if the text, in lower case, names that status code; `5xx` stands for any code that begins with 5.
pub(super) fn contains(text: &str, code: &str) -> bool {
    let class = code.strip_suffix("xx");
    let is_code = |word: &str| match class {
        Some(class) => word.len() == 3 && word.starts_with(class) && word.bytes().all(|byte| byte.is_ascii_digit()),
        None => word == code,
    };
    // Most messages hold no such number.
    let digits = class.unwrap_or(code);
    if !text
        .match_indices(digits)
        .any(|(at, _)| text.get(at..at + 3).is_some_and(is_code))
    {
        return false;
    }
    let mut previous = "";
    let mut words = words(text).peekable();
    while let Some(word) = words.next() {
        if is_code(word) {
            let next = words.peek().copied().unwrap_or_default();
            let phrase = PHRASES.iter().any(|(code, phrase)| *code == word && next == *phrase);
            if phrase || names_status(previous) {
                return true;
            }
        }
        previous = word;
    }
    false
}

/// `unexpected status: 403`, `StatusCode: 403`, `HTTP 403`, `HTTP/1.1 403`, `code 403`, `GET request to https://x: 403`,
/// `status code from registry 403`.
fn names_status(word: &str) -> bool {
    word.ends_with("status")
        || word.ends_with("code")
        || word == "http"
        || word.starts_with("http/")
        || word.starts_with("http://")
        || word.starts_with("https://")
        || word == "registry"
}

/// The words, without the punctuation around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '=' | ',' | ';' | '(' | ')' | '[' | ']' | '"' | '\''))
        .map(|word| word.trim_matches([':', '.']))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_count_in_any_wording() {
        for text in [
            "unexpected status: 403 forbidden",
            "unexpected status from head request to https://registry.example/v2/app/manifests/9: 403 forbidden",
            "reading manifest 9 in registry.example/app: statuscode: 403, <html>",
            "error parsing http 403 response body: invalid character '<'",
            "invalid status code from registry 403 (forbidden)",
            "pulling from host x failed with status code [manifests 9]: 403 forbidden",
            "status=403",
            "http/1.1 403",
        ] {
            assert!(contains(text, "403"), "{text}");
            assert!(contains(text, "4xx"), "{text}");
            assert!(!contains(text, "401") && !contains(text, "5xx"), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_status_codes() {
        for text in [
            "registry.example/app@sha256:0b1f403c: not found",
            "dial tcp 10.0.0.1:403: i/o timeout",
            "registry.example/app:403: not found",
            "registry.example/403/app: not found",
            "manifest 403 unknown",
            "retrying in 403 ms",
        ] {
            assert!(!contains(text, "403"), "{text}");
        }
    }
}
