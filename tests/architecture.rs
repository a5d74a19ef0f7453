//! The house rules that the compiler does not keep: imports go down only, the
//! clock is read in one place, sources are ASCII and files stay short.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms and the floors they stand on. A room may import from lower floors,
/// and from the neighbours that are named.
const ROOMS: &[(&str, u8, &[&str])] = &[
    ("token", 0, &["plain_text"]),
    ("clock", 0, &["token"]),
    ("percent", 0, &[]),
    ("plain_text", 0, &[]),
    ("qr", 0, &[]),
    ("random", 0, &[]),
    ("failure", 1, &[]),
    ("keyring", 1, &[]),
    ("profile", 1, &[]),
    ("ledger", 1, &[]),
    ("humanize", 1, &[]),
    ("activity", 2, &[]),
    ("api", 2, &["activity"]),
    ("cache", 2, &[]),
    ("metrics", 2, &["activity"]),
    ("mint", 2, &[]),
    ("redeem", 2, &["cache"]),
    ("signing", 2, &[]),
    ("tls", 3, &[]),
    ("public", 3, &[]),
    ("admin", 3, &[]),
    ("cluster", 3, &["tls"]),
    ("config", 4, &[]),
    ("node", 5, &[]),
    ("cli", 6, &[]),
];

/// Production code of one file: everything above its unit tests.
struct Source {
    path: PathBuf,
    room: String,
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 30, "the sources were found");
    files
        .into_iter()
        .filter(|path| !path.ends_with("tests.rs") && !path.iter().any(|part| part == "tests"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            let first = path.strip_prefix(&src).unwrap().components().next().unwrap();
            let room = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
            Source { path, room, code }
        })
        .collect()
}

fn floor(room: &str) -> Option<(u8, &'static [&'static str])> {
    ROOMS.iter().find(|(name, ..)| *name == room).map(|(_, floor, near)| (*floor, *near))
}

/// The rooms that a line of code names: `crate::room` and `jeton::room`, and
/// each name of a list `crate::{a, b}`.
fn rooms_named(code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut named = Vec::new();
    for after in code.split("crate::").skip(1) {
        let text = after.trim_start();
        if let Some(list) = text.strip_prefix('{') {
            // Names at the first level of the braces.
            let (mut depth, mut name) = (0, String::new());
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => named.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            named.push(name);
        } else {
            named.push(text.to_owned());
        }
    }
    let word = |text: &String| {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    named.iter().map(word).filter(|word| !word.is_empty()).collect()
}

fn upward_imports(room: &str, code: &str) -> Vec<String> {
    let (own, near) = floor(room).unwrap_or_else(|| panic!("the room {room} has no floor"));
    rooms_named(code)
        .into_iter()
        .filter(|named| named != room)
        .filter(|named| floor(named).is_some_and(|(floor, _)| floor >= own))
        .filter(|named| !near.contains(&named.as_str()))
        .collect()
}

#[test]
fn imports_go_down_only() {
    for source in sources() {
        if matches!(source.room.as_str(), "lib" | "main") {
            continue;
        }
        let upward = upward_imports(&source.room, &source.code);
        assert!(upward.is_empty(), "{} imports {upward:?}", source.path.display());
    }
}

/// The rule above can fail: a test that cannot is none.
#[test]
fn an_import_turned_upwards_is_found() {
    for (room, code) in [
        ("token", "use crate::ledger::State;"),
        ("token", "fn f(x: &crate::clock::SystemClock) {}"),
        ("ledger", "use crate::profile::Profile;"),
        ("redeem", "use crate::{\n    cache::A,\n    public::B,\n};"),
        ("public", "use crate::admin::AdminDoor;"),
        ("admin", "use crate::{token::{A, B}, cli::C};"),
        ("config", "use crate::cli::Failure;"),
    ] {
        assert_eq!(upward_imports(room, code).len(), 1, "{room}: {code}");
    }
    for (room, code) in [
        ("redeem", "use crate::{cache::A, ledger::{B, public}};"),
        ("public", "// use crate::admin::AdminDoor;\nuse crate::token::url;"),
        ("cli", "use crate::config::Config;"),
    ] {
        assert!(upward_imports(room, code).is_empty(), "{room}: {code}");
    }
}

#[test]
fn every_room_has_a_floor_and_none_is_called_utils() {
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let room = name.trim_end_matches(".rs");
        let known = floor(room).is_some() || matches!(room, "lib" | "main");
        assert!(known, "the room {room} has no floor");
    }
    for source in sources() {
        let name = source.path.file_stem().unwrap().to_str().unwrap();
        let vague = ["common", "util", "utils", "helper", "helpers", "misc", "shared"];
        assert!(!vague.contains(&name), "{} says nothing", source.path.display());
    }
}

#[test]
fn the_wall_clock_is_read_in_clock_rs_only() {
    for source in sources().iter().filter(|source| source.room != "clock") {
        for banned in ["SystemTime::now", "Timestamp::now", "ZonedDateTime::now"] {
            assert!(!source.code.contains(banned), "{}: {banned}", source.path.display());
        }
    }
}

/// The core is pure: no clock, no randomness, no I/O.
#[test]
fn the_core_is_pure() {
    let pure = |source: &&Source| {
        let path = source.path.to_str().unwrap();
        source.room == "token"
            || [
                "ledger/state.rs",
                "ledger/command.rs",
                "ledger/note.rs",
                "ledger/query.rs",
                "ledger/snapshot.rs",
                "ledger/log/frame.rs",
                "ledger/log/record.rs",
                "ledger/log/state.rs",
                "ledger/log/head.rs",
            ]
            .iter()
            .any(|file| path.ends_with(file))
    };
    let sources = sources();
    let core: Vec<_> = sources.iter().filter(pure).collect();
    assert!(core.len() > 15, "the core was found");
    for source in core {
        for banned in
            ["std::fs", "std::io", "std::time", "getrandom", "tokio", "std::thread", "std::env"]
        {
            assert!(!source.code.contains(banned), "{}: {banned}", source.path.display());
        }
    }
}

/// openraft stays behind the ledger's trait.
#[test]
fn the_engine_stays_in_its_folder() {
    for source in sources() {
        let inside = source.path.to_str().unwrap().contains("ledger/raft/");
        assert!(inside || !source.code.contains("openraft::"), "{}", source.path.display());
    }
}

/// How the API is told is a matter of the operators' door.
#[test]
fn the_document_stays_with_the_api() {
    for source in sources() {
        let path = source.path.to_str().unwrap();
        let inside = path.contains("/api/") || path.ends_with("activity/line.rs");
        assert!(inside || !source.code.contains("utoipa"), "{}", source.path.display());
    }
}

#[test]
fn sources_are_ascii_and_short() {
    for source in sources() {
        let path = source.path.display();
        assert!(source.code.is_ascii(), "{path} is not ASCII");
        let lines = source.code.lines().count();
        assert!(lines <= 500, "{path} has {lines} lines: split it by idea");
    }
}
