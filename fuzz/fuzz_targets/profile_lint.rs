//! Any text can be linted, and no finding repeats its secrets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::profile::fuzzing::lint(data));
