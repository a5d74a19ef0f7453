//! Reading a key file never panics, and an accepted key survives a round trip through a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::keyring::fuzzing::key_file(data));
