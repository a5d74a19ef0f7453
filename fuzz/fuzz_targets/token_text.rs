//! A token and its claims have one encoding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::token::fuzzing::token_text(data));
