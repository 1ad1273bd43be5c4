//! Conditions and statements of OTTL.
#![no_main]

#[path = "../bodies/ottl.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
