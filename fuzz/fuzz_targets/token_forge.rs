//! What no key signed never verifies; what a key signed always does.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::token::fuzzing::token_forge(data));
