//! Parses a response of a token endpoint (RFC 6749, sections 5.1 and 5.2). Pure.

use std::time::{Duration, SystemTime};

use collector_config::Secret;
use collector_runtime::authentication::AuthenticationError;
use serde_json::Value;

/// The longest text of the token endpoint that is shown, in characters.
const LONGEST: usize = 200;

/// A token and its lifetime.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// For the header `authorization`.
    pub(crate) authorization: Secret,
    /// `None` if the response has none.
    pub(crate) lifetime: Option<Duration>,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// The endpoint's host, for messages.
    pub(crate) host: &'a str,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// True if the client was not recognized. The token endpoint may expect the credentials in the other form.
    pub(crate) fn is_client_unknown(&self) -> bool {
        self.status == 401 || (self.status == 400 && self.code().is_some_and(|code| code == "invalid_client"))
    }

    /// The token.
    ///
    /// # Errors
    /// A response without a token. The text contains none of `hidden`.
    pub(crate) fn grant(&self, hidden: &[&Secret], now: SystemTime) -> Result<Grant, AuthenticationError> {
        let (host, status) = (self.host, self.status);
        let said = self.said(hidden);
        match status {
            200..=299 => self.token(),
            408 | 425 | 429 | 500..=599 => Err(AuthenticationError::Unavailable {
                after: self.retry_after.and_then(|value| retry_after(value, now)),
                why: format!("the token endpoint {host} answered HTTP {status}{said}"),
            }),
            300..=399 => Err(AuthenticationError::Refused(format!(
                "the token endpoint {host} redirects (HTTP {status}), which is not followed so that the client secret stays \
                 here: check token_url"
            ))),
            404 | 405 => Err(AuthenticationError::Refused(format!(
                "{host} has no token endpoint at that path (HTTP {status}){said}: check token_url"
            ))),
            _ => {
                let check = match self.code().as_deref() {
                    Some("invalid_scope") => "scopes",
                    Some("unauthorized_client" | "unsupported_grant_type") => {
                        "whether the client may use the grant client_credentials"
                    }
                    Some("invalid_request" | "invalid_target") => "endpoint_params and scopes",
                    _ => "client_id and client_secret",
                };
                Err(AuthenticationError::Refused(format!(
                    "the token endpoint {host} refused the client (HTTP {status}){said}: check {check}"
                )))
            }
        }
    }

    fn token(&self) -> Result<Grant, AuthenticationError> {
        let host = self.host;
        let wrong =
            |why: &str| AuthenticationError::Refused(format!("the token endpoint {host} {why}: check token_url"));
        let body: Value = serde_json::from_slice(self.body).map_err(|_| wrong("answered something other than JSON"))?;
        let token = body["access_token"].as_str().unwrap_or_default();
        if token.is_empty() {
            return Err(wrong("answered without an access_token"));
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong("answered with an access_token that is not valid in a header"));
        }
        // One spelling of the usual type, as Go's oauth2 has it.
        let kind = match body["token_type"].as_str().unwrap_or_default() {
            "" => "Bearer",
            kind if kind.eq_ignore_ascii_case("bearer") => "Bearer",
            kind if kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => kind,
            _ => return Err(wrong("answered with a token_type that is not valid in a header")),
        };
        // Some endpoints write the number as a text.
        let expires = &body["expires_in"];
        let seconds = expires
            .as_u64()
            .or_else(|| expires.as_f64().map(|seconds| seconds as u64))
            .or_else(|| expires.as_str()?.trim().parse().ok());
        Ok(Grant {
            authorization: Secret::new(format!("{kind} {token}")),
            lifetime: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        })
    }

    /// The error code, such as `invalid_client`.
    fn code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(self.body).ok()?;
        Some(body["error"].as_str()?.to_owned())
    }

    /// `: invalid_client, description`, or nothing.
    fn said(&self, hidden: &[&Secret]) -> String {
        let Ok(body) = serde_json::from_slice::<Value>(self.body) else {
            return String::new();
        };
        let texts = [&body["error"], &body["error_description"]].map(|text| text.as_str().unwrap_or_default());
        let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if texts.is_empty() {
            return String::new();
        }
        let mut text = texts.join(", ");
        for secret in hidden {
            if !secret.is_empty() {
                text = text.replace(secret.expose(), collector_config::REDACTED);
            }
        }
        let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        format!(": {}", text.take(LONGEST).collect::<String>())
    }
}

/// Seconds or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(status: u16, body: &str) -> Result<Grant, AuthenticationError> {
        let answer = Answer {
            host: "h",
            status,
            retry_after: Some("7"),
            body: body.as_bytes(),
        };
        answer.grant(&[&Secret::new("hunter2")], SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn parses_tokens() {
        for (body, authorization, seconds) in [
            (
                r#"{"access_token": "t", "token_type": "bearer", "expires_in": 60}"#,
                "Bearer t",
                Some(60),
            ),
            (
                r#"{"access_token": "t", "token_type": "Bearer", "expires_in": "3600"}"#,
                "Bearer t",
                Some(3600),
            ),
            (r#"{"access_token": "t", "expires_in": 59.9}"#, "Bearer t", Some(59)),
            (
                r#"{"access_token": "t", "token_type": "MAC", "expires_in": 0}"#,
                "MAC t",
                None,
            ),
            (r#"{"access_token": "t"}"#, "Bearer t", None),
        ] {
            let grant = grant(200, body).expect(body);
            assert_eq!(grant.authorization.expose(), authorization, "{body}");
            assert_eq!(grant.lifetime, seconds.map(Duration::from_secs), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read_without_showing_the_secret(
            status in 100_u16..600,
            body in "(\\PC|hunter2|[{}\":,]|error|access_token|expires_in|[0-9]{1,30}){0,40}",
            after in "\\PC{0,20}",
        ) {
            let answer = Answer {
                host: "h",
                status,
                retry_after: Some(&after),
                body: body.as_bytes(),
            };
            let _ = answer.is_client_unknown();
            if let Err(why) = answer.grant(&[&Secret::new("hunter2")], SystemTime::UNIX_EPOCH) {
                proptest::prop_assert!(!why.to_string().contains("hunter2"));
            }
        }
    }

    #[test]
    fn separates_transient_from_permanent_failures() {
        for status in [408, 425, 429, 500, 502, 503, 504, 529] {
            match grant(status, "") {
                Err(AuthenticationError::Unavailable { after, .. }) => assert_eq!(after, Some(Duration::from_secs(7))),
                other => panic!("{status}: {other:?}"),
            }
        }
        for (status, body, expected) in [
            (
                401,
                r#"{"error": "invalid_client"}"#,
                "invalid_client: check client_id and client_secret",
            ),
            (400, r#"{"error": "invalid_scope"}"#, "check scopes"),
            (
                400,
                r#"{"error": "unsupported_grant_type"}"#,
                "may use the grant client_credentials",
            ),
            (
                400,
                "{\"error\": \"invalid_client\", \"error_description\": \"secret hunter2 is\\nwrong\"}",
                "secret [REDACTED] is wrong",
            ),
            (404, "<html>", "has no token endpoint at that path"),
            (302, "", "redirects"),
            (200, "<html>", "something other than JSON"),
            (200, "{}", "without an access_token"),
            (
                200,
                r#"{"access_token": "a\r\nb"}"#,
                "access_token that is not valid in a header",
            ),
            (
                200,
                r#"{"access_token": "t", "token_type": "a b"}"#,
                "token_type that is not valid in a header",
            ),
        ] {
            match grant(status, body) {
                Err(AuthenticationError::Refused(why)) => {
                    assert!(
                        why.contains(expected) && !why.contains("hunter2"),
                        "{status} {body}: {why}"
                    );
                }
                other => panic!("{status} {body}: {other:?}"),
            }
        }
    }
}
