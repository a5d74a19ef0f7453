//! A PKI's index is read whole or rejected.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::profile::fuzzing::index(data));
