//! Who may read, and the headers of every response.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_config::Secret;

use crate::api::error;

/// Scripts, styles, images and streams of this server only; no frames, no plugins, no inline code. Forms, which hold filters, go
/// to this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Lets only `GET` and `HEAD` pass, with the token if there is one, and sets the headers of every response.
pub(crate) fn protect(router: Router, token: Option<Secret>) -> Router {
    let token = Arc::new(token);
    router.layer(from_fn(move |request: Request, next: Next| {
        let token = Arc::clone(&token);
        async move {
            let response = match refusal(&request, token.as_ref().as_ref()) {
                Some(refusal) => refusal,
                None => next.run(request).await,
            };
            with_headers(response)
        }
    }))
}

fn refusal(request: &Request, token: Option<&Secret>) -> Option<Response> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = error::response(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "expected GET or HEAD: nothing can be changed here",
        );
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(axum::http::header::ALLOW, allowed);
        return Some(response);
    }
    let token = token?;
    if presents(request.headers(), token) {
        return None;
    }
    let text =
        "expected the token of auth::token: `Authorization: Bearer TOKEN`, or Basic with the token as the password";
    let mut response = error::response(StatusCode::UNAUTHORIZED, "unauthorized", text);
    // A browser asks for a user, which may be anything, and a password, which is the token.
    let challenge = HeaderValue::from_static("Basic realm=\"kube-job-collector\", charset=\"UTF-8\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    let bearer = HeaderValue::from_static("Bearer realm=\"kube-job-collector\"");
    response.headers_mut().append(WWW_AUTHENTICATE, bearer);
    Some(response)
}

/// True if a request presents the token.
fn presents(headers: &HeaderMap, token: &Secret) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let Some((scheme, value)) = value.split_once(' ') else {
        return false;
    };
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return is_equal(value.as_bytes(), token.expose().as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Ok(decoded) = STANDARD.decode(value) else {
        return false;
    };
    // A user name has no colon (RFC 7617); the token may.
    let password = decoded
        .iter()
        .position(|byte| *byte == b':')
        .map(|colon| &decoded[colon + 1..]);
    password.is_some_and(|password| is_equal(password, token.expose().as_bytes()))
}

/// Compares in a time that depends on the length of `found` only.
fn is_equal(found: &[u8], expected: &[u8]) -> bool {
    let mut difference = u8::from(found.len() != expected.len());
    for (at, byte) in found.iter().enumerate() {
        let other = expected.get(at % expected.len().max(1)).copied().unwrap_or_default();
        difference |= byte ^ other;
    }
    std::hint::black_box(difference) == 0 && !expected.is_empty()
}

fn with_headers(mut response: Response<Body>) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages and answers are out of date at once; assets set their own.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    response.into_response()
}
