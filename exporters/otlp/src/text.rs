//! The text of a backend, safe for logs.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use reqwest::header::HeaderMap;

use crate::headers;

/// The longest text of a backend in a message, in characters.
const LONGEST: usize = 300;
/// The part of a text that is read, in bytes: a message may have megabytes.
const READ: usize = 16 * 1024;
/// Shorter values are not secrets, and hiding them would garble the text.
const SHORTEST_SECRET: usize = 6;
/// This many bytes of a secret in a row are hidden; of a short one fewer.
const SHORTEST_PART: usize = 8;

/// One short line without control characters and without the secrets in `headers`: neither whole nor in part, in other
/// case, in base64, in hex or percent-encoded.
pub(crate) fn clean(text: &str, headers: &HeaderMap) -> String {
    let mut end = READ.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = hide(&text[..end], headers);
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut words = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// Replaces every stretch that is part of a secret.
fn hide(text: &str, headers: &HeaderMap) -> String {
    // ASCII case is folded byte by byte, so every position stays.
    let lower = text.to_ascii_lowercase().into_bytes();
    let mut hidden = vec![false; lower.len()];
    for (name, value) in headers {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            continue;
        };
        for secret in secrets(value) {
            // The name of a tenant or a data set consists of ordinary words.
            let part = match headers::is_credential(name.as_str()) || looks_random(&secret) {
                true => (secret.len() / 2).clamp(SHORTEST_SECRET, SHORTEST_PART),
                false => secret.len(),
            };
            for form in forms(&secret) {
                mark(&lower, &mut hidden, form.to_ascii_lowercase().as_bytes(), part);
            }
        }
    }
    let mut shown = String::with_capacity(text.len());
    let mut before = false;
    for (at, c) in text.char_indices() {
        let inside = hidden[at..at + c.len_utf8()].iter().any(|hidden| *hidden);
        match (inside, before) {
            (true, false) => shown.push_str(collector_config::REDACTED),
            (true, true) => {}
            (false, _) => shown.push(c),
        }
        before = inside;
    }
    shown
}

/// The secret part of a header's value: the value without its scheme (`Bearer`), and the password of basic credentials.
fn secrets(value: &str) -> Vec<String> {
    let bare = match value.split_once(' ') {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') => rest.trim(),
        _ => value,
    };
    let mut secrets = vec![bare.to_owned()];
    let decoded = STANDARD_NO_PAD.decode(bare.trim_end_matches('='));
    if let Some(credentials) = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok())
        && let Some((_, password)) = credentials.split_once(':')
    {
        secrets.push(password.to_owned());
    }
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    secrets
}

/// True if a value is a key rather than a name: long, with letters and digits.
fn looks_random(value: &str) -> bool {
    let has = |class: fn(&u8) -> bool| value.as_bytes().iter().any(class);
    value.len() >= 16 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// The secret itself and its usual encodings.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent = secret.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    });
    let mut forms = vec![secret.to_owned(), hex, percent.collect()];
    // Base64 depends on the secret's position in a larger text. Characters that its neighbours change are left out.
    for offset in 0..3 {
        let encoded = STANDARD.encode([&vec![0; offset], secret.as_bytes()].concat());
        let begin = (offset * 8).div_ceil(6);
        let end = (offset + secret.len()) * 8 / 6;
        let inner = &encoded[begin..end];
        forms.push(inner.replace('+', "-").replace('/', "_"));
        forms.push(inner.to_owned());
    }
    forms
}

/// Marks every run of at least `part` bytes that `text` shares with `form`.
fn mark(text: &[u8], hidden: &mut [bool], form: &[u8], part: usize) {
    let parts: HashSet<&[u8]> = form.windows(part).collect();
    for (at, window) in text.windows(part).enumerate() {
        if parts.contains(window) {
            hidden[at..at + part].fill(true);
        }
    }
}

/// The title of an HTML page; `None` for other text.
pub(crate) fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.trim_start();
    if !start.starts_with("<!doctype html") && !start.starts_with("<html") {
        return None;
    }
    let title = lower.find("<title>").map(|at| at + "<title>".len()).and_then(|begin| {
        let end = lower[begin..].find("</title>")? + begin;
        // `to_ascii_lowercase` keeps every byte position.
        Some(text.get(begin..end)?.trim().to_owned())
    });
    Some(title.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn text_becomes_one_short_line_without_secrets() {
        let headers = headers(&[("dd-api-key", "hunter2x")]);
        assert_eq!(
            clean("key hunter2x\r\n\x1b[31mis \t wrong", &headers),
            "key [REDACTED] [31mis wrong"
        );
        let long = clean(&"ä".repeat(100_000), &headers);
        assert_eq!(long.chars().count(), LONGEST + 1);
    }

    #[test]
    fn hides_keys_in_any_encoding() {
        let headers = headers(&[
            ("dd-api-key", KEY),
            ("authorization", "Basic dXNlcjpzM2NyM3QtcDRzcw=="),
            ("x-sf", "q1w2e3r4t5z6u7i8o9p0"),
        ]);
        let url_safe = base64::engine::general_purpose::URL_SAFE;
        for said in [
            KEY.to_owned(),
            KEY[..12].to_owned(),
            KEY[9..].to_owned(),
            KEY.to_ascii_uppercase(),
            STANDARD.encode(KEY),
            url_safe.encode(KEY),
            STANDARD.encode(format!("dd-api-key: {KEY}")),
            STANDARD.encode(format!("dd-api-key:{KEY}\n")),
            KEY.bytes().map(|byte| format!("{byte:02X}")).collect(),
            "dXNlcjpzM2NyM3QtcDRzcw==".to_owned(),
            "s3cr3t-p4ss".to_owned(),
            "S3CR3T%2Dp4ss".to_owned(),
            "q1w2e3r4t5".to_owned(),
        ] {
            let shown = clean(&format!("bad credentials: {said}, try again"), &headers);
            assert!(shown.contains("[REDACTED]"), "{said}: {shown}");
            assert!(
                shown.starts_with("bad credentials: ") && shown.ends_with(", try again"),
                "{shown}"
            );
            let longest = shown
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| KEY.contains(&word.to_ascii_lowercase()) && !word.is_empty());
            assert!(longest.map(str::len).max().unwrap_or(0) < SHORTEST_PART, "{shown}");
        }
    }

    #[test]
    fn ordinary_words_stay_readable() {
        let headers = headers(&[
            ("authorization", "Bearer 0a1b2c3d4e5f6071"),
            ("x-honeycomb-dataset", "kubernetes-jobs"),
            ("x-team", "jobs"),
        ]);
        let said = "Bearer token of kubernetes jobs is unknown: 401 Unauthorized";
        assert_eq!(clean(said, &headers), said);
    }

    #[test]
    fn shows_the_title_of_a_web_page() {
        let page = " <!DOCTYPE html><html><head><TITLE> 502 Bad Gateway </TITLE></head><body>…</body></html>";
        assert_eq!(html_title(page).as_deref(), Some("502 Bad Gateway"));
        assert_eq!(html_title("<html><title>x").as_deref(), Some(""));
        assert_eq!(html_title("plain <html>"), None);
    }
}
