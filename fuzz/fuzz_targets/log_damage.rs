//! Damaged frames never read as other frames, and a cut never removes an acknowledged frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::log::fuzzing::damage(data));
