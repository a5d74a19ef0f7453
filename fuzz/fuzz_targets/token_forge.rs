//! Unsigned bytes never verify; signed tokens verify until one bit changes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::token::fuzzing::token_forge(data));
