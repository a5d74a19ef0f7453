//! Frames have one spelling, whatever the bytes of a segment.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::log::fuzzing::frames(data));
