//! Runs the seeds of all fuzz targets, including crashes that were found, and random bytes through
//! the functions that the targets call. Needs no fuzzer and no nightly toolchain.
#![allow(clippy::unwrap_used, reason = "clippy allows it in tests, but not in their helpers")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

/// A property that must hold for any bytes.
type Body = fn(&[u8]);

/// The fuzz targets and the functions that they call, sorted by name.
const TARGETS: [(&str, Body); 12] = [
    ("key_file", jeton::keyring::fuzzing::key_file),
    ("ledger_replay", jeton::ledger::fuzzing::replay),
    ("log_damage", jeton::ledger::log::fuzzing::damage),
    ("log_frames", jeton::ledger::log::fuzzing::frames),
    ("log_record", jeton::ledger::log::fuzzing::record),
    ("profile_index", jeton::profile::fuzzing::index),
    ("profile_lint", jeton::profile::fuzzing::lint),
    ("profile_template", jeton::profile::fuzzing::profile_template),
    ("snapshot", jeton::ledger::fuzzing::snapshot),
    ("token_forge", jeton::token::fuzzing::token_forge),
    ("token_text", jeton::token::fuzzing::token_text),
    ("url_query", jeton::token::fuzzing::url_query),
];

fn fuzz_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// Returns the names in a directory below `fuzz/`, without their extension, sorted.
fn names(dir: &str) -> Vec<String> {
    let entries = fs::read_dir(fuzz_path(dir)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = entries.map(|entry| stem(entry.unwrap().path())).collect();
    names.sort();
    names
}

#[test]
fn every_target_is_listed_and_has_seeds() {
    let expected: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("fuzz_targets"), expected);
    assert_eq!(names("seeds"), expected);
}

#[test]
fn the_properties_hold_for_every_seed() {
    for (name, body) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(fuzz_path("seeds").join(name)).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            println!("{}", path.display());
            body(&data);
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} seeds");
    }
}

/// The same inputs in every run: random bytes, and seeds with a part replaced.
#[test]
fn the_properties_hold_for_random_bytes() {
    for (name, body) in TARGETS {
        let config = ProptestConfig {
            cases: 1_024,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(0x6675_7a7a),
            ..ProptestConfig::default()
        };
        let mut seeds: Vec<_> = fs::read_dir(fuzz_path("seeds").join(name))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        seeds.sort();
        let seeds: Vec<_> = seeds.into_iter().map(|path| fs::read(path).unwrap()).collect();
        let bytes = prop::collection::vec(any::<u8>(), 0..=64);
        let spliced = (prop::sample::select(seeds), any::<prop::sample::Index>(), bytes.clone())
            .prop_map(|(mut seed, at, part)| {
                let start = at.index(seed.len() + 1);
                let end = seed.len().min(start + part.len() / 2);
                seed.splice(start..end, part);
                seed
            });
        let inputs = prop_oneof![bytes, spliced];
        TestRunner::new(config)
            .run(&inputs, |data| {
                body(&data);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
