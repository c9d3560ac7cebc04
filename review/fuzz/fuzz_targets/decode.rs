//! Whatever the text: decoding, reviewing, fixing and rewriting it end, and keep what they promise.
#![no_main]

#[path = "../checks/decode.rs"]
mod decode;

libfuzzer_sys::fuzz_target!(|text: &str| decode::check(text));
