//! The configured headers, which are secrets.

use std::collections::BTreeMap;

use collector_config::{Diagnostic, Secret, Settings, credential_problem};
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

/// Reads `headers`, with every error at its key. No message and no `Debug` output contains a value.
pub(crate) fn read(raw: &BTreeMap<String, Secret>, settings: &Settings, errors: &mut Vec<Diagnostic>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (key, value) in raw {
        match header(key, value) {
            Ok((name, _)) if headers.contains_key(&name) => errors.push(settings.error(
                &format!("headers::{key}"),
                format!("the header `{name}` is given twice (upper and lower case are the same)"),
            )),
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(why) => errors.push(settings.error(&format!("headers::{key}"), why)),
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
    if is_credential(name.as_str())
        && let Some(why) = wrong_credential(name.as_str(), text)
    {
        return Err(format!("the value of `{name}` is unusable: {why}"));
    }
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        format!("the value of `{name}` contains a character that is not valid in a header, such as a line break")
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The problem of a header's credential, if any.
fn wrong_credential(name: &str, text: &str) -> Option<&'static str> {
    const SCHEMES: [&str; 6] = ["bearer", "basic", "api-token", "apikey", "api-key", "token"];
    if !name.ends_with("authorization") {
        let is_key = ["key", "token", "honeycomb-team"]
            .iter()
            .any(|part| name.contains(part));
        let blank = is_key && text.trim().contains([' ', '\t']);
        return credential_problem(text).or(blank.then_some("it has white space inside, and a key has none"));
    }
    let text = text.trim_start();
    if SCHEMES.contains(&text.trim_end().to_ascii_lowercase().as_str()) {
        return Some("no credentials after the scheme; check that the environment variable is set");
    }
    credential_problem(text).or_else(|| credential_problem(text.split_once(' ')?.1))
}

/// True if a header of this name contains a credential.
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
        let mut errors = Vec::new();
        let headers = read(&raw.headers, &settings, &mut errors);
        let errors = errors
            .into_iter()
            .map(|error| (error.position.map(|position| position.line), error.message));
        (headers, errors.collect())
    }

    #[test]
    fn values_are_never_shown() {
        let (headers, errors) = read_yaml("headers:\n  dd-api-key: hunter2");
        assert_eq!(errors, []);
        assert_eq!(headers["dd-api-key"], "hunter2");
        assert!(!format!("{headers:?}").contains("hunter2"));
    }

    #[test]
    fn accepts_values_that_are_not_credentials() {
        for yaml in [
            "headers: {x-team: 'our team', x-note: \"'quoted'\", x-scope: YOUR_API_KEY}",
            "headers: {authorization: 'Basic aHVudGVyMjpodW50ZXIy'}",
            "headers: {authorization: 'Digest username=\"a\", realm=\"b c\"x'}",
        ] {
            assert_eq!(read_yaml(yaml).1, [], "{yaml}");
        }
    }

    #[test]
    fn an_error_has_its_line_and_no_secret() {
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
                "not valid in a header",
            ),
            ("headers:\n  X-A: b\n  x-a: hunter2", "given twice"),
            ("headers:\n  x-a: b\n  dd-api-key: \"'hunter2'\"", "quotes around it"),
            ("headers:\n  x-a: b\n  dd-api-key: ' hunter2'", "white space"),
            ("headers:\n  x-a: b\n  api-key: hun ter2", "white space inside"),
            ("headers:\n  x-a: b\n  x-honeycomb-team: YOUR_API_KEY", "placeholder"),
            ("headers:\n  x-a: b\n  dd-api-key: $DD_API_KEY", "not expanded"),
            ("headers:\n  x-a: b\n  authorization: Bearer $TOKEN", "not expanded"),
            ("headers:\n  x-a: b\n  authorization: Api-Token <token>", "placeholder"),
            (
                "headers:\n  x-a: b\n  authorization: Basic 'hunter2'",
                "quotes around it",
            ),
            (
                "headers:\n  x-a: b\n  authorization: 'Bearer '",
                "no credentials after the scheme",
            ),
        ] {
            let (_, errors) = read_yaml(yaml);
            assert_eq!(errors.len(), 1, "{yaml}: {errors:?}");
            assert_eq!(errors[0].0, Some(3), "{yaml}");
            assert!(errors[0].1.contains(expected), "{yaml}: {errors:?}");
            assert!(!errors[0].1.contains("hunter2"), "{errors:?}");
        }
    }
}
