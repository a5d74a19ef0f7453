//! Records and heads have one spelling and keep the rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::log::fuzzing::record(data));
