//! Frames have one encoding, whatever the bytes of a segment are.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::log::fuzzing::frames(data));
