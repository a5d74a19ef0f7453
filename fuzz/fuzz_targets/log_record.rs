//! Records and heads have one encoding, and accepted records leave no gap.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jeton::ledger::log::fuzzing::record(data));
