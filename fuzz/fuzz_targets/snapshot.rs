//! A snapshot says what its state is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::fuzzing::snapshot(data));
