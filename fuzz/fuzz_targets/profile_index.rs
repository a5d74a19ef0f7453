//! An index is read whole, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::profile::fuzzing::index(data));
