//! The decoder of protobuf.
#![no_main]

#[path = "../bodies/protobuf.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
