//! Masks text that looks like a secret: values of keys such as `password`, credentials in URLs, tokens of known form, private
//! keys. Hosts, paths, digests and numbers stay, because they explain errors.

use std::borrow::Cow;
use std::ops::Range;

/// The replacement, the same as in configurations and recordings.
const REDACTED: &str = "[REDACTED]";
/// The longest key that is searched before a `=` or `:`.
const MAX_KEY: usize = 48;
/// The longest beginning of a value or a URL that decides if it is a secret, so that no byte is read often.
const MAX_DECIDING: usize = 256;

/// Tokens of known form: how they begin, and their least length.
const TOKENS: [(&str, usize); 22] = [
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 35),
    ("Bearer ", 23),
    ("bearer ", 23),
    ("SG.", 40),
    ("dckr_pat_", 20),
    ("eyJ", 24),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 24),
    ("glpat-", 20),
    ("hvs.", 20),
    ("npm_", 24),
    ("pypi-", 40),
    ("sk_live_", 20),
    ("sk-", 40),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("ya29.", 20),
];

/// A kind of key whose value is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecretKey {
    Password,
    /// A word that errors also use in prose: `fetching token: unexpected status`.
    Token,
    /// A header or a field with a scheme before the secret.
    Authorization,
}

/// The text with every value that looks secret replaced.
pub fn masked(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut copied, mut url_end) = (0, 0);
    // The end of a private key whose beginning is cut off.
    let mut at = cut_key_end(text).unwrap_or(0);
    if at > 0 {
        out.push_str(REDACTED);
        copied = at;
    }
    while at < bytes.len() {
        let found = match bytes[at] {
            b'=' => assigned(text, at),
            b':' if text[at..].starts_with("://") => userinfo(text, at + 3),
            b':' => named(text, at),
            b'?' if at >= url_end => {
                url_end = at + url_at(text, at, usize::MAX).len();
                query(text, at + 1..url_end)
            }
            b'-' if text[at..].starts_with("-----BEGIN ") => private_key(text, at),
            b'-' if text[at..].starts_with("-u ") => user(text, at + 3),
            b'-' if text[at..].starts_with("--") && !text[..at].ends_with('-') => flag(text, at),
            byte if byte.is_ascii_alphabetic() => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let found = token(text, at);
                if found.is_none() {
                    // The next token begins with another word.
                    at += bytes[at..].iter().take_while(|byte| is_part(byte)).count() - 1;
                }
                found
            }
            _ => None,
        };
        match found.filter(|range| range.start >= copied && range.end > range.start) {
            Some(range) => {
                out.push_str(&text[copied..range.start]);
                out.push_str(REDACTED);
                copied = range.end;
                at = range.end.max(at + 1);
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The value of `KEY=VALUE`.
fn assigned(text: &str, at: usize) -> Option<Range<usize>> {
    let (key, _) = key_before(text, at)?;
    let kind = kind_of(key)?;
    let from = skip_spaces(text, at + 1, 1);
    if kind == SecretKey::Authorization {
        return credentials(text, from);
    }
    value(text, from, usize::MAX).filter(|range| !is_constant(&text[range.clone()]))
}

/// The value of `"KEY":"VALUE"`, `KEY: VALUE` and `Authorization: SCHEME VALUE`.
fn named(text: &str, at: usize) -> Option<Range<usize>> {
    let (key, is_quoted) = key_before(text, at)?;
    let kind = kind_of(key)?;
    let from = skip_spaces(text, at + 1, 4);
    if kind == SecretKey::Authorization {
        return credentials(text, from);
    }
    let range = value(text, from, MAX_DECIDING)?;
    let found = &text[range.clone()];
    if is_constant(found) {
        return None;
    }
    let is_secret = match kind {
        // Quoted keys are those of JSON and of Python's dictionaries, not names before a colon in prose.
        _ if is_quoted && range.start > from => true,
        SecretKey::Password => is_password(found) || is_whole_line(text, at - key.len(), &range),
        _ => is_random(found),
    };
    is_secret.then(|| value(text, from, usize::MAX))?
}

/// The value of `--KEY VALUE`.
fn flag(text: &str, at: usize) -> Option<Range<usize>> {
    let name = &text[at + 2..];
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let end = name.bytes().take(MAX_KEY).take_while(is_key).count();
    if !name[end..].starts_with(' ') {
        return None;
    }
    let kind = kind_of(&name[..end])?;
    let range = value(text, at + 3 + end, usize::MAX)?;
    let found = &text[range.clone()];
    let is_secret = is_random(found) || kind == SecretKey::Password && is_password(found);
    is_secret.then_some(range)
}

/// `user:password` of `curl -u user:password`; the ids of `docker run -u 1000:1000` are none.
fn user(text: &str, from: usize) -> Option<Range<usize>> {
    let range = value(text, from, MAX_DECIDING)?;
    let (name, password) = text[range].split_once(':')?;
    let is_id = password.bytes().all(|byte| byte.is_ascii_digit());
    (!name.is_empty() && !is_id).then(|| value(text, from, usize::MAX))?
}

/// The key that ends before a separator, and true if it is in quotation marks.
fn key_before(text: &str, separator: usize) -> Option<(&str, bool)> {
    let before = text[..separator].strip_suffix(' ').unwrap_or(&text[..separator]);
    let bare = before.trim_end_matches(['"', '\'']);
    let is_quoted = bare.len() < before.len();
    let bare = bare.strip_suffix('\\').filter(|_| is_quoted).unwrap_or(bare);
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = bare.bytes().rev().take(MAX_KEY).take_while(is_key).count();
    (length > 0).then(|| (&bare[bare.len() - length..], is_quoted))
}

fn kind_of(key: &str) -> Option<SecretKey> {
    const PASSWORDS: [&str; 4] = ["password", "passwd", "passphrase", "dbpass"];
    const TOKENS: [&str; 14] = [
        "token",
        "secret",
        "apikey",
        "accesskey",
        "accesskeyid",
        "secretkey",
        "privatekey",
        "accountkey",
        "sharedkey",
        "signature",
        "credential",
        "authkey",
        "encryptionkey",
        "signingkey",
    ];
    let mut plain = [0; MAX_KEY];
    let mut length = 0;
    for byte in key.bytes().filter(u8::is_ascii_alphanumeric) {
        *plain.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let plain = &plain[..length];
    let ends = |words: &[&str]| words.iter().any(|word| plain.ends_with(word.as_bytes()));
    // `PWD` is the shell's working directory.
    if ends(&PASSWORDS) || matches!(key, "pwd" | "Pwd" | "pass") || ["_pass", "_PASS"].iter().any(|e| key.ends_with(e))
    {
        Some(SecretKey::Password)
    } else if ends(&TOKENS) || matches!(plain, b"sig" | b"sharedaccesskey") {
        Some(SecretKey::Token)
    } else if plain.ends_with(b"authorization") || matches!(key, "auth" | "_auth") {
        Some(SecretKey::Authorization)
    } else {
        None
    }
}

/// A value: the inside of quotation marks, or the characters up to the next separator; at most its first bytes.
fn value(text: &str, from: usize, most: usize) -> Option<Range<usize>> {
    let rest = first_bytes(&text[from..], most);
    for open in ["\"", "\\\"", "'"] {
        if let Some(inside) = rest.strip_prefix(open) {
            let end = match open {
                "\"" => end_of_quote(inside),
                _ => inside.find(open),
            };
            let start = from + open.len();
            return Some(start..start + end.unwrap_or(inside.len()));
        }
    }
    let separates =
        |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"' | '\'' | ')' | ']' | '}' | '<' | '>' | '\\');
    let end = rest.find(separates).unwrap_or(rest.len());
    let end = rest[..end].trim_end_matches('.').len();
    let is_value = end > 0 && !rest.starts_with('=') && !rest.starts_with(REDACTED);
    is_value.then_some(from..from + end)
}

/// The secret after `Authorization:`, with or without a scheme.
fn credentials(text: &str, from: usize) -> Option<Range<usize>> {
    let rest = &text[from..];
    if rest.starts_with(['"', '\'', '\\']) {
        return value(text, from, usize::MAX).filter(|range| range.len() >= 8);
    }
    let scheme = first_bytes(rest, MAX_KEY).split([' ', ',']).next().unwrap_or_default();
    let known = ["bearer", "basic", "token", "digest", "apikey", "negotiate"];
    if known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) && rest[scheme.len()..].starts_with(' ') {
        return value(text, skip_spaces(text, from + scheme.len(), 4), usize::MAX);
    }
    let range = value(text, from, MAX_DECIDING).filter(|range| is_random(&text[range.clone()]))?;
    value(text, range.start, usize::MAX)
}

/// `user:password` of `scheme://user:password@host`, and a token in its place.
fn userinfo(text: &str, from: usize) -> Option<Range<usize>> {
    let url = url_at(text, from, MAX_DECIDING);
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let end = match authority.rfind('@') {
        Some(end) => end,
        // A password with a slash: what follows the colon is no port.
        None => {
            let (_, port) = authority.split_once(':').filter(|(host, _)| !host.starts_with('['))?;
            let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
            url.rfind('@').filter(|_| !is_port)?
        }
    };
    // `git@` and other names of users are no secret.
    let is_secret = url[..end].contains(':') || end >= 20;
    is_secret.then_some(from..from + end)
}

/// The query of a URL, if one of its parameters is a signature or another secret.
fn query(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let query = text.get(range.clone())?;
    let query = &query[..query.find(['#', ')', ',']).unwrap_or(query.len())];
    let query = query.trim_end_matches([':', '.']);
    let is_secret = query.split('&').any(|parameter| match parameter.split_once('=') {
        Some((key, value)) => !value.is_empty() && kind_of(key).is_some(),
        None => false,
    });
    is_secret.then(|| range.start..range.start + query.len())
}

/// The text up to the end of a URL that began before it; at most its first bytes.
fn url_at(text: &str, from: usize, most: usize) -> &str {
    let rest = first_bytes(&text[from..], most);
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '|' | '\\' | '^');
    &rest[..rest.find(ends).unwrap_or(rest.len())]
}

/// A token of known form.
fn token(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let first = rest.get(..2)?.as_bytes();
    let mut tokens = TOKENS.iter().filter(|(start, _)| start.as_bytes()[..2] == *first);
    let (start, least) = tokens.find(|(start, _)| rest.starts_with(start))?;
    let inside = &rest[start.len()..];
    let is_header = start.ends_with(' ');
    let is_part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.')
            || is_header && matches!(byte, b'=' | b'+' | b'/' | b'~')
    };
    let run = |most: usize| {
        let length = inside.bytes().take(most).take_while(|byte| is_part(*byte)).count();
        inside[..length].trim_end_matches('.')
    };
    let found = run(MAX_DECIDING);
    let is_long = start.len() + found.len() >= *least && found.bytes().any(|byte| byte.is_ascii_digit());
    let kept = if is_header { start.len() } else { 0 };
    is_long.then(|| at + kept..at + start.len() + run(usize::MAX).len())
}

/// A private key in PEM, up to its end or to the end of the text.
fn private_key(text: &str, at: usize) -> Option<Range<usize>> {
    let inside = &text[at + "-----BEGIN ".len()..];
    let (name, _) = inside.split_once("-----")?;
    if !name.ends_with("PRIVATE KEY") {
        return None;
    }
    Some(at..key_end(text, at + 1).unwrap_or(text.len()))
}

/// The end of a private key that began before the text.
fn cut_key_end(text: &str) -> Option<usize> {
    let end = key_end(text, 0)?;
    let begin = text.find("-----BEGIN ").unwrap_or(text.len());
    (end < begin).then_some(end)
}

/// The place after `-----END ... PRIVATE KEY-----`.
fn key_end(text: &str, from: usize) -> Option<usize> {
    const MARK: &str = "PRIVATE KEY-----";
    let end = from + text[from..].find("-----END ")?;
    let mark = text[end..].find(MARK)?;
    // `RSA`, `EC`, `ENCRYPTED`, `OPENSSH`
    (mark <= "-----END ENCRYPTED ".len()).then_some(end + mark + MARK.len())
}

fn skip_spaces(text: &str, from: usize, most: usize) -> usize {
    let spaces = text[from..].bytes().take(most).take_while(|byte| *byte == b' ').count();
    from + spaces
}

/// True for values that are no secret.
fn is_constant(value: &str) -> bool {
    matches!(
        value,
        "null" | "None" | "nil" | "<nil>" | "true" | "false" | "True" | "False" | "undefined"
    ) || value.starts_with(['[', '{', '(', '*', '$'])
}

/// True for a word that is no English one: it has digits or signs. A word before a colon is a part of an error.
fn is_password(value: &str) -> bool {
    !value.ends_with(':') && value.bytes().any(|byte| !byte.is_ascii_alphabetic() && byte != b'-')
}

/// True for a value that looks random and is no name of Kubernetes, file, address or digest.
fn is_random(value: &str) -> bool {
    let has = |test: fn(&u8) -> bool| value.bytes().any(|byte| test(&byte));
    let is_uuid = value.len() == 36 && [8, 13, 18, 23].iter().all(|at| value.as_bytes()[*at] == b'-');
    let is_name = !has(u8::is_ascii_uppercase) && value.contains(['-', '.']);
    let is_place = value.contains([':', '/']);
    value.len() >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && (is_uuid || !is_name && !is_place)
}

/// True if a line has nothing but a key and its value.
fn is_whole_line(text: &str, key: usize, value: &Range<usize>) -> bool {
    let before = text[..key].rsplit('\n').next().unwrap_or_default();
    let after = text[value.end..].split('\n').next().unwrap_or_default();
    // The value of a line in a message of one line may be the reason of an error.
    text.contains('\n') && before.trim().is_empty() && after.trim().is_empty()
}

/// The characters that end within the first `most` bytes.
pub fn first_bytes(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The byte of the quotation mark that ends a quote, in the text after the one that begins it; `None` if it does not end.
pub fn end_of_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}
