//! `retry_on_failure::non_retryable_status_codes`: the codes after which data is dropped without a retry.

use std::collections::BTreeSet;

use collector_config::{Diagnostic, Settings};
use tonic::Code;

use crate::outcome::StatusClass;

/// The setting, as a path in an exporter.
const KEY: &str = "retry_on_failure::non_retryable_status_codes";

/// The codes, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct NonRetryable {
    http: BTreeSet<u16>,
    grpc: Vec<Code>,
}

impl NonRetryable {
    /// Reads HTTP status codes and, for `grpc`, names of gRPC codes.
    pub(crate) fn read(raw: &[String], grpc: bool, settings: &Settings, errors: &mut Vec<Diagnostic>) -> Self {
        let mut codes = NonRetryable::default();
        for (index, text) in raw.iter().enumerate() {
            let read = match named(text).filter(|_| grpc) {
                Some(code) => check_grpc(code).map(|()| codes.grpc.push(code)),
                None => check_http(text, grpc).map(|status| codes.http.extend([status])),
            };
            if let Err(why) = read {
                errors.push(settings.error(&format!("{KEY}::{index}"), why));
            }
        }
        codes
    }

    pub(crate) fn has_http(&self, status: u16) -> bool {
        self.http.contains(&status)
    }

    pub(crate) fn has_grpc(&self, code: Code) -> bool {
        self.grpc.contains(&code)
    }
}

fn check_http(text: &str, grpc: bool) -> Result<u16, String> {
    let names = if grpc {
        ", or a gRPC code such as `INTERNAL`"
    } else {
        ""
    };
    let status = text
        .parse()
        .ok()
        .filter(|status| (300..=599).contains(status))
        .ok_or_else(|| format!("found `{text}`, expected an HTTP status code such as 500{names}"))?;
    match StatusClass::of(status) {
        StatusClass::Later | StatusClass::Access | StatusClass::Missing | StatusClass::Redirect => Ok(status),
        StatusClass::TooLarge => Err("413 is not retried: the request is split; remove it".into()),
        StatusClass::Never | StatusClass::Success => Err(format!("{status} is never retried; remove it")),
    }
}

fn check_grpc(code: Code) -> Result<(), String> {
    use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Ok as Success};
    match code {
        Success | InvalidArgument | NotFound | AlreadyExists | FailedPrecondition => {
            Err(format!("{} is never retried; remove it", name(code)))
        }
        _ => Ok(()),
    }
}

/// The code with this name.
fn named(text: &str) -> Option<Code> {
    (0..=16)
        .map(Code::from_i32)
        .find(|code| name(*code).eq_ignore_ascii_case(text))
}

/// A code as the gRPC specification writes it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str, grpc: bool) -> Result<NonRetryable, Vec<String>> {
        let settings = Settings::from_yaml(&format!(
            "endpoint: http://h\nretry_on_failure:\n  non_retryable_status_codes: {yaml}"
        ))
        .unwrap();
        let raw: crate::http::settings::OtlpHttpSettings = settings.read().unwrap();
        let mut errors = Vec::new();
        let codes = NonRetryable::read(
            &raw.retry_on_failure.non_retryable_status_codes,
            grpc,
            &settings,
            &mut errors,
        );
        let errors: Vec<String> = errors.iter().map(|error| error.message.clone()).collect();
        if errors.is_empty() { Ok(codes) } else { Err(errors) }
    }

    #[test]
    fn accepts_http_numbers_and_grpc_names() {
        let codes = read("[500, 429, 404]", false).unwrap();
        assert!(codes.has_http(500) && codes.has_http(404) && !codes.has_http(503));
        let codes = read("[INTERNAL, unknown, 502]", true).unwrap();
        assert!(codes.has_grpc(Code::Internal) && codes.has_grpc(Code::Unknown) && codes.has_http(502));
        assert!(!codes.has_grpc(Code::Unavailable));
    }

    #[test]
    fn a_code_that_is_not_retried_is_an_error() {
        for (yaml, grpc, expected) in [
            ("[400]", false, "400 is never retried; remove it"),
            ("[501]", false, "501 is never retried; remove it"),
            ("[413]", false, "413 is not retried: the request is split; remove it"),
            (
                "[5000]",
                false,
                "found `5000`, expected an HTTP status code such as 500",
            ),
            ("[5xx]", false, "found `5xx`, expected an HTTP status code such as 500"),
            (
                "[INTERNAL]",
                false,
                "found `INTERNAL`, expected an HTTP status code such as 500",
            ),
            (
                "[INTERN]",
                true,
                "found `INTERN`, expected an HTTP status code such as 500, or a gRPC code such as `INTERNAL`",
            ),
            ("[NOT_FOUND]", true, "NOT_FOUND is never retried; remove it"),
        ] {
            assert_eq!(read(yaml, grpc).unwrap_err(), [expected], "{yaml}");
        }
    }
}
