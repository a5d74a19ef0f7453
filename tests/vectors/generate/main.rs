//! Writes the vectors of token version 1:
//! `cargo run --example generate-vectors --no-default-features`.
//!
//! It shares no code with jeton. Claims are encoded by hand, and signatures are made by dalek or by
//! hand. Each refused token is therefore wrong only in the way that its reason says, and the
//! accepted ones check jeton's encoder. It draws no randomness: a second run changes no file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the generator stops at the first error"
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

/// Replaces all files in `directory` by `cases`.
fn write(directory: &Path, cases: &[case::Case]) {
    if directory.exists() {
        fs::remove_dir_all(directory).unwrap();
    }
    fs::create_dir_all(directory).unwrap();
    for case in cases {
        let path = directory.join(format!("{}.toml", case.name));
        assert!(!path.exists(), "two cases have the name {}", case.name);
        fs::write(path, case.to_toml()).unwrap();
    }
}
