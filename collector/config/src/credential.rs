//! Keys, tokens and passwords that cannot be the real ones: quoted, padded, placeholders, or references that were not
//! replaced. The messages never quote the value.

/// Why a key, token or password cannot work as it is; `None` if it looks like one.
///
/// ```
/// # use collector_config::credential_problem;
/// assert!(credential_problem("<DD_API_KEY>").unwrap().contains("placeholder"));
/// assert!(credential_problem("'0123456789abcdef'").unwrap().contains("quotes"));
/// assert!(credential_problem("0123456789abcdef").is_none());
/// ```
pub fn credential_problem(value: &str) -> Option<&'static str> {
    let trimmed = value.trim();
    if is_reference(trimmed) {
        return Some("it is a reference that is not expanded; write `${env:NAME}` for an environment variable");
    }
    if is_placeholder(trimmed) {
        return Some("it is a placeholder, not a value");
    }
    if trimmed.starts_with(is_quote) || trimmed.ends_with(is_quote) {
        return Some("it has quotes around it, which are part of the value; remove them");
    }
    if trimmed.len() != value.len() {
        return Some(
            "it begins or ends with white space, which is part of the value; was the Secret made with `echo` \
             without `-n`?",
        );
    }
    None
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}')
}

/// `$NAME`, `${…}`, `$(NAME)` of Kubernetes, `%NAME%` of Windows, `{{ … }}` of templates, `ENC[…]` of Datadog's Agent.
fn is_reference(value: &str) -> bool {
    let between = |begin, end| {
        value
            .strip_prefix(begin)
            .and_then(|rest| rest.strip_suffix(end))
            .is_some_and(|inside| !inside.is_empty())
    };
    value.strip_prefix('$').is_some_and(is_name)
        || between("${", "}")
        || between("$(", ")")
        || between("{{", "}}")
        || between("ENC[", "]")
        || value
            .strip_prefix('%')
            .and_then(|rest| rest.strip_suffix('%'))
            .is_some_and(is_name)
}

/// The name of an environment variable.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Placeholders that documentation uses for a value.
fn is_placeholder(value: &str) -> bool {
    const WHOLE: [&str; 12] = [
        "changeme",
        "changethis",
        "changeit",
        "replaceme",
        "replacethis",
        "placeholder",
        "todo",
        "fixme",
        "redacted",
        "undefined",
        "null",
        "none",
    ];
    const NOUNS: [&str; 6] = ["key", "token", "secret", "password", "credential", "license"];
    const VERBS: [&str; 6] = ["your", "insert", "replace", "enter", "paste", "put"];
    if value.starts_with('<') && value.ends_with('>') {
        return true;
    }
    let plain: String = value
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let mut characters = value.chars();
    let first = characters.next();
    // `xxxx`, `****`, `0000`
    if value.len() >= 4 && characters.all(|c| Some(c.to_ascii_lowercase()) == first.map(|f| f.to_ascii_lowercase())) {
        return true;
    }
    let names_noun = NOUNS.iter().any(|noun| plain.contains(noun));
    let is_identifier = value.contains('_')
        && is_name(value)
        && !value.contains(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    WHOLE.contains(&plain.as_str())
        // `YOUR_API_KEY`, `paste-token-here`
        || names_noun && (VERBS.iter().any(|verb| plain.starts_with(verb)) || plain.ends_with("here"))
        // `DD_API_KEY`: the name of a variable
        || names_noun && is_identifier
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_unusable_credentials() {
        for (values, expected) in [
            (
                &[
                    "$DD_API_KEY",
                    "${DD_API_KEY}",
                    "$(DD_API_KEY)",
                    "%DD_API_KEY%",
                    "{{ .Values.key }}",
                    "ENC[datadog_key]",
                ][..],
                "not expanded",
            ),
            (
                &[
                    "YOUR_API_KEY",
                    "your-api-key-here",
                    "YourToken",
                    "<DD_API_KEY>",
                    "<your key>",
                    "xxxx",
                    "XXXXXXXXXXXXXXXX",
                    "xxxxXXXX",
                    "****",
                    "00000000000000000000000000000000",
                    "changeme",
                    "change-me",
                    "CHANGE_ME",
                    "REPLACE_ME",
                    "replace-with-your-key",
                    "insert_api_key_here",
                    "TODO",
                    "[REDACTED]",
                    "placeholder",
                    "DD_API_KEY",
                    "GRAFANA_CLOUD_TOKEN",
                ],
                "placeholder",
            ),
            (&["\"abc\"", "'abc'", "\"abc", "abc'", "\u{201c}abc\u{201d}"], "quotes"),
            (&[" abc", "abc ", "abc\n", "\tabc"], "white space"),
        ] {
            for value in values {
                let found = credential_problem(value);
                assert!(found.is_some_and(|why| why.contains(expected)), "{value}: {found:?}");
            }
        }
    }

    #[test]
    fn accepts_plausible_credentials() {
        for value in [
            "",
            "k",
            "key",
            "token",
            "hunter2",
            "0123456789abcdef0123456789abcdef",
            "glc_eyJvIjoiMTIzNDU2Iiwi",
            "dt0c01.ST2EY72KQINMH574WMNVI7YN.G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BNDVFFM572RZM",
            "a$b",
            "correct horse battery staple",
            "NRAL_0123_KEYS9",
            "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo",
        ] {
            assert_eq!(credential_problem(value), None, "{value}");
        }
    }
}
