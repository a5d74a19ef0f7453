//! Writes the vectors of token version 1: `cargo run --example
//! generate-vectors --no-default-features`.
//!
//! It uses nothing of jeton. Claims are bytes laid down by hand and signatures
//! are dalek's or made by hand, so that the tokens to be refused are exactly
//! what they say, and the tokens to be accepted are a second opinion. It draws
//! no randomness: a second run changes no file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a generator that cannot go on should stop"
)]

mod accept;
mod bytes;
mod case;
mod refuse;

use std::fs;
use std::path::Path;

fn main() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/token-v1"));
    write(&root.join("accept"), &accept::cases());
    write(&root.join("refuse"), &refuse::cases());
}

/// Replaces all files in `folder` by `cases`.
fn write(folder: &Path, cases: &[case::Case]) {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    for case in cases {
        let path = folder.join(format!("{}.toml", case.name));
        assert!(!path.exists(), "two cases are called {}", case.name);
        fs::write(path, case.to_toml()).unwrap();
    }
}
