//! Rules that the compiler does not check: imports only go down, one place reads the clock, sources
//! are ASCII, and files are short.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test panics")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with its floor. A room may import from lower floors, and from the named rooms of its
/// own floor.
const ROOMS: &[(&str, u8, &[&str])] = &[
    ("token", 0, &["plain_text"]),
    ("clock", 0, &["token"]),
    ("percent", 0, &[]),
    ("plain_text", 0, &[]),
    ("qr", 0, &[]),
    ("random", 0, &[]),
    ("rate_limit", 0, &[]),
    ("web_security", 0, &[]),
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

/// The rooms of `ledger/raft/` with their floors.
const RAFT_ROOMS: &[(&str, u8)] = &[
    ("types", 0),
    ("store", 1),
    ("peers", 2),
    ("spend", 3),
    ("members", 3),
    ("node", 4),
    ("life", 5),
];

/// The production code of one file: everything above its unit tests.
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
            let room = room_below(&src, &path).unwrap();
            Source { path, room, code }
        })
        .collect()
}

/// Returns the name of the file or directory in `directory` that `path` leads to.
fn room_below(directory: &Path, path: &Path) -> Option<String> {
    let first = path.strip_prefix(directory).ok()?.components().next()?;
    Some(first.as_os_str().to_str()?.trim_end_matches(".rs").to_owned())
}

fn floor(room: &str) -> Option<(u8, &'static [&'static str])> {
    ROOMS.iter().find(|(name, ..)| *name == room).map(|(_, floor, near)| (*floor, *near))
}

/// Returns the names that follow `module` in the code: `module::name`, and each name of a list
/// `module::{a, b}`.
fn names_in(module: &str, code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut names = Vec::new();
    for (start, path) in code.match_indices(&format!("{module}::")) {
        if code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let text = code[start + path.len()..].trim_start();
        if let Some(list) = text.strip_prefix('{') {
            // Names at the first level of the braces.
            let (mut depth, mut name) = (0, String::new());
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            names.push(name);
        } else {
            names.push(text.to_owned());
        }
    }
    let word = |text: &String| {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    names.iter().map(word).filter(|word| !word.is_empty()).collect()
}

fn upward_imports(room: &str, code: &str) -> Vec<String> {
    let (own, near) = floor(room).unwrap_or_else(|| panic!("the room {room} has no floor"));
    names_in("crate", code)
        .into_iter()
        .filter(|named| named != room)
        .filter(|named| floor(named).is_some_and(|(floor, _)| floor >= own))
        .filter(|named| !near.contains(&named.as_str()))
        .collect()
}

fn raft_floor(room: &str) -> Option<u8> {
    RAFT_ROOMS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Returns what the code of a room of `ledger/raft/` imports from rooms that are not below it.
/// `raft/mod.rs` re-exports from all rooms, so its names count as well.
fn upward_raft_imports(room: &str, code: &str) -> Vec<String> {
    let own = raft_floor(room).unwrap_or_else(|| panic!("the raft room {room} has no floor"));
    let code = code.replace("openraft::raft::", "openraft::");
    names_in("raft", &code)
        .into_iter()
        .chain(names_in("super::super", &code))
        .filter(|named| named != room && named != "tests")
        .filter(|named| raft_floor(named).is_none_or(|floor| floor >= own))
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

#[test]
fn an_upward_import_is_found() {
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
fn raft_imports_go_down_only() {
    let raft = root().join("src/ledger/raft");
    let mut rooms = Vec::new();
    for source in sources() {
        let Some(room) = room_below(&raft, &source.path).filter(|room| room != "mod") else {
            continue;
        };
        // In `ROOM.rs` and `ROOM/mod.rs`, `super` is `raft`.
        let is_top = source.path.ends_with("mod.rs") || source.path.parent() == Some(&raft);
        let code =
            if is_top { source.code.replace("super::", "raft::") } else { source.code.clone() };
        let upward = upward_raft_imports(&room, &code);
        assert!(upward.is_empty(), "{} imports {upward:?}", source.path.display());
        rooms.push(room);
    }
    let missing = RAFT_ROOMS.iter().find(|(room, _)| !rooms.iter().any(|found| found == room));
    assert_eq!(missing, None, "a room without files");
}

#[test]
fn an_upward_raft_import_is_found() {
    for (room, code) in [
        ("types", "use crate::ledger::raft::store::Raft;"),
        ("store", "use crate::ledger::raft::peers::View;"),
        ("peers", "fn f(x: &crate::ledger::raft::spend::Batcher) {}"),
        ("spend", "use crate::ledger::raft::members::Changes;"),
        ("members", "use crate::ledger::raft::{store::Raft, spend::Forwarder};"),
        ("spend", "use crate::ledger::{Ledger, raft::node::RaftLedger};"),
        ("node", "use super::super::life::Opening;"),
        ("node", "use crate::ledger::raft::Options;"),
    ] {
        assert_eq!(upward_raft_imports(room, code).len(), 1, "{room}: {code}");
    }
    for (room, code) in [
        ("store", "use super::identity::Identity;\nuse openraft::raft::SnapshotResponse;"),
        ("spend", "// use crate::ledger::raft::node::RaftLedger;\nuse crate::ledger::Ledger;"),
        ("life", "use crate::ledger::raft::{node::{Parts, life}, types::Member};"),
    ] {
        assert!(upward_raft_imports(room, code).is_empty(), "{room}: {code}");
    }
}

#[test]
fn every_room_has_a_floor_and_no_file_has_a_vague_name() {
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let room = name.trim_end_matches(".rs");
        let known = floor(room).is_some() || matches!(room, "lib" | "main");
        assert!(known, "the room {room} has no floor");
    }
    for source in sources() {
        let name = source.path.file_stem().unwrap().to_str().unwrap();
        let vague = ["common", "util", "utils", "helper", "helpers", "misc", "shared"];
        assert!(!vague.contains(&name), "{} has a vague name", source.path.display());
    }
}

#[test]
fn only_clock_rs_reads_the_wall_clock() {
    for source in sources().iter().filter(|source| source.room != "clock") {
        for banned in ["SystemTime::now", "Timestamp::now", "ZonedDateTime::now"] {
            assert!(!source.code.contains(banned), "{}: {banned}", source.path.display());
        }
    }
}

#[test]
fn the_core_has_no_clock_no_randomness_and_no_io() {
    let is_pure = |source: &&Source| {
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
    let core: Vec<_> = sources.iter().filter(is_pure).collect();
    assert!(core.len() > 15, "the core was found");
    for source in core {
        for banned in
            ["std::fs", "std::io", "std::time", "getrandom", "tokio", "std::thread", "std::env"]
        {
            assert!(!source.code.contains(banned), "{}: {banned}", source.path.display());
        }
    }
}

#[test]
fn only_ledger_raft_uses_openraft() {
    for source in sources() {
        let inside = source.path.to_str().unwrap().contains("ledger/raft/");
        assert!(inside || !source.code.contains("openraft::"), "{}", source.path.display());
    }
}

#[test]
fn only_admin_api_uses_utoipa() {
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
        assert!(lines <= 500, "{path} has {lines} lines, more than 500");
    }
}
