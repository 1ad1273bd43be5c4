//! From a recording, or from evidence, to what a person reads.
#![no_main]

#[path = "../bodies/judge.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
