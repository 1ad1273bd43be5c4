//! The configured headers: valid, complete, and secret.

use std::collections::BTreeMap;

use pipeline::config::{Diagnostic, Secret, Settings};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers that the exporter or HTTP itself sets.
const OURS: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
];

/// Reads `headers`, with every mistake at its key. The values never show, not even in `Debug`.
pub(crate) fn read(raw: &BTreeMap<String, Secret>, settings: &Settings, mistakes: &mut Vec<Diagnostic>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (key, value) in raw {
        match header(key, value) {
            Ok((name, _)) if headers.contains_key(&name) => mistakes.push(settings.mistake(
                &format!("headers::{key}"),
                format!("the header `{name}` is given twice (upper and lower case are the same)"),
            )),
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(why) => mistakes.push(settings.mistake(&format!("headers::{key}"), why)),
        }
    }
    headers
}

fn header(key: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::try_from(key)
        .map_err(|_| format!("`{key}` is not a header name, expected letters, digits, `-` and `_`"))?;
    if OURS.contains(&name.as_str()) {
        return Err(format!(
            "the header `{name}` is set by the exporter and cannot be changed"
        ));
    }
    let text = value.expose();
    if text.trim().is_empty() && is_credential(name.as_str()) {
        return Err(format!(
            "the header `{name}` is empty; is the environment variable it comes from set?"
        ));
    }
    if text.ends_with(['\n', '\r']) {
        return Err(format!(
            "the value of `{name}` ends with a line break; was the Secret made from a file or with `echo` without `-n`?"
        ));
    }
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        format!("the value of `{name}` holds a character that no header may hold, such as a line break")
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Whether a header of this name proves who we are.
pub(crate) fn is_credential(name: &str) -> bool {
    ["key", "token", "auth", "secret", "password", "honeycomb-team"]
        .iter()
        .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_yaml(yaml: &str) -> (HeaderMap, Vec<(Option<u32>, String)>) {
        let settings = Settings::from_yaml(yaml).unwrap();
        let raw: crate::http::settings::OtlpHttpSettings = settings.read().unwrap();
        let mut mistakes = Vec::new();
        let headers = read(&raw.headers, &settings, &mut mistakes);
        let mistakes = mistakes
            .into_iter()
            .map(|mistake| (mistake.position.map(|position| position.line), mistake.message));
        (headers, mistakes.collect())
    }

    #[test]
    fn values_are_never_shown() {
        let (headers, mistakes) = read_yaml("headers:\n  dd-api-key: hunter2");
        assert_eq!(mistakes, []);
        assert_eq!(headers["dd-api-key"], "hunter2");
        assert!(!format!("{headers:?}").contains("hunter2"));
    }

    #[test]
    fn mistakes_stand_at_their_line_and_keep_the_secret() {
        for (yaml, expected) in [
            ("headers:\n  x-a: b\n  'bad name': hunter2", "not a header name"),
            ("headers:\n  x-a: b\n  Content-Type: hunter2", "set by the exporter"),
            ("headers:\n  x-a: b\n  dd-api-key: ''", "environment variable"),
            (
                "headers:\n  x-a: b\n  dd-api-key: \"hunter2\\n\"",
                "ends with a line break",
            ),
            (
                "headers:\n  x-a: b\n  dd-api-key: \"hunter2\\nx\"",
                "no header may hold",
            ),
            ("headers:\n  X-A: b\n  x-a: hunter2", "given twice"),
        ] {
            let (_, mistakes) = read_yaml(yaml);
            assert_eq!(mistakes.len(), 1, "{yaml}: {mistakes:?}");
            assert_eq!(mistakes[0].0, Some(3), "{yaml}");
            assert!(mistakes[0].1.contains(expected), "{yaml}: {mistakes:?}");
            assert!(!mistakes[0].1.contains("hunter2"), "{mistakes:?}");
        }
    }
}
