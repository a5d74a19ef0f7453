//! Reading any key file ends without a panic, and what is read can be written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::keyring::fuzzing::key_file(data));
