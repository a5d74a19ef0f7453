//! A clean template renders to clean profiles of every kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::profile::fuzzing::profile_template(data));
