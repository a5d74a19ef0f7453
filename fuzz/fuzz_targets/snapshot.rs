//! An accepted snapshot is written back unchanged.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::fuzzing::snapshot(data));
