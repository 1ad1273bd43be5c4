//! Properties of the handling of a backend's answer, for arbitrary bytes. Run by fuzz targets,
//! and by `cargo test` on damaged answers.
//!
//! Input over HTTP: a byte for the signal, two for the status, a line for `Content-Type`, a line for `Retry-After`, then the
//! body. Over gRPC: the same, but the second line is `grpc-status`, a third is `grpc-message`, and a fourth is
//! `grpc-status-details-bin`.

use collector_data::Signal;
use collector_sending::SendOutcome;
use otlp_exporter::answers::{Received, over_grpc, over_http};

/// In the request's headers; a backend may echo it, but it must not be shown.
pub(super) const KEY: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const SECRETS: [(&str, &[u8]); 1] = [("dd-api-key", KEY.as_bytes())];

/// Panics if something does not hold over HTTP.
pub(super) fn http(data: &[u8]) {
    let Some((signal, status, rest)) = begin(data) else {
        return;
    };
    let ([content_type, retry_after], body) = lines(rest);
    let headers = [("content-type", content_type), ("retry-after", retry_after)];
    let received = Received {
        signal,
        status,
        headers: &headers,
        body,
        trailers: &[],
        secrets: &SECRETS,
    };
    let outcome = over_http(received);
    assert_eq!(over_http(received), outcome, "decided differently the second time");
    check(&outcome);
    if content_type.starts_with(b"application/grpc") {
        return;
    }
    let fits = match status {
        // Accepted data is not sent again, regardless of the body; a web page is not an intake.
        200..=299 => matches!(
            outcome,
            SendOutcome::Accepted | SendOutcome::Partial { .. } | SendOutcome::Misconfigured(_)
        ),
        300..=399 | 401 | 403 | 404 | 405 => matches!(outcome, SendOutcome::Misconfigured(_)),
        413 => matches!(outcome, SendOutcome::TooLarge(_)),
        407 | 408 | 421 | 425 | 429 => matches!(outcome, SendOutcome::Retry { .. }),
        400..=499 | 501 => matches!(outcome, SendOutcome::Permanent(_)),
        _ => matches!(outcome, SendOutcome::Retry { .. }),
    };
    assert!(fits, "HTTP {status}: {outcome:?}");
}

/// Panics if something does not hold over gRPC.
pub(super) fn grpc(data: &[u8]) {
    let Some((signal, status, rest)) = begin(data) else {
        return;
    };
    let ([content_type, code, message, details], body) = lines(rest);
    let headers = [("content-type", content_type)];
    let trailers = [
        ("grpc-status", code),
        ("grpc-message", message),
        ("grpc-status-details-bin", details),
    ];
    let trailers = match code {
        b"" => &[][..],
        _ => &trailers,
    };
    let received = Received {
        signal,
        status,
        headers: &headers,
        body,
        trailers,
        secrets: &SECRETS,
    };
    let outcome = over_grpc(received);
    assert_eq!(over_grpc(received), outcome, "decided differently the second time");
    check(&outcome);
    let fits = match code {
        b"0" => matches!(outcome, SendOutcome::Accepted | SendOutcome::Partial { .. }),
        b"3" | b"5" | b"6" | b"9" => matches!(outcome, SendOutcome::Permanent(_)),
        b"7" | b"12" | b"16" => matches!(outcome, SendOutcome::Misconfigured(_)),
        b"8" => matches!(outcome, SendOutcome::Retry { .. } | SendOutcome::TooLarge(_)),
        b"1" | b"2" | b"4" | b"10" | b"11" | b"13" | b"14" | b"15" => matches!(outcome, SendOutcome::Retry { .. }),
        _ => true,
    };
    assert!(fits, "gRPC {:?}: {outcome:?}", String::from_utf8_lossy(code));
}

fn begin(data: &[u8]) -> Option<(Signal, u16, &[u8])> {
    let [signal, high, low, rest @ ..] = data else {
        return None;
    };
    let signal = Signal::ALL[usize::from(*signal) % Signal::ALL.len()];
    // Those that the client lets through.
    let status = 100 + u16::from_be_bytes([*high, *low]) % 900;
    Some((signal, status, rest))
}

/// The first lines, without their ends, and the rest.
fn lines<const N: usize>(mut data: &[u8]) -> ([&[u8]; N], &[u8]) {
    let lines = std::array::from_fn(|_| {
        let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let line = &data[..end];
        data = data.get(end + 1..).unwrap_or_default();
        line
    });
    (lines, data)
}

/// The displayed text is one short line without any part of the key.
fn check(outcome: &SendOutcome) {
    let text = match outcome {
        SendOutcome::Accepted => return,
        SendOutcome::Partial { message, .. } => message,
        SendOutcome::Retry { why, .. }
        | SendOutcome::Permanent(why)
        | SendOutcome::Misconfigured(why)
        | SendOutcome::TooLarge(why) => why,
    };
    assert!(text.chars().count() < 700, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    let lower = text.to_ascii_lowercase();
    for part in KEY.as_bytes().windows(8) {
        let part = std::str::from_utf8(part).expect("the key is ASCII");
        assert!(!lower.contains(part), "{part} of the key is shown: {text}");
    }
}
