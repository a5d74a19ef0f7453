//! A log means the same after a restart from a snapshot, and no token is used too often.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::fuzzing::replay(data));
