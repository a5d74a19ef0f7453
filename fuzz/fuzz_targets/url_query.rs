//! A token found in a URL is the only one in it, and is found again in every link made with it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::token::fuzzing::url_query(data));
