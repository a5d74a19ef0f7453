//! Damage is never read as another frame, and a cut never takes an acknowledged one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::log::fuzzing::damage(data));
