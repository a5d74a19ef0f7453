//! A link gives its one token or none.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::token::fuzzing::url_query(data));
