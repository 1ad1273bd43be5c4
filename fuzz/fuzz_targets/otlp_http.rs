//! Answers of a backend over HTTP.
#![no_main]

#[path = "../bodies/otlp_answers.rs"]
#[allow(dead_code, reason = "the other target uses the rest")]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::http(data));
