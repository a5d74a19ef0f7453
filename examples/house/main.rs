//! Measures the source tree, and fails when a limit is exceeded: `make house`.
//!
//! Prints the type names that stand for two or more types, the files that import each other in a
//! circle, and the longest functions and files. Only production code counts: see [`source`].

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
#![allow(clippy::wildcard_enum_match_arm, reason = "few of syn's many kinds of items matter")]

mod imports;
mod source;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use imports::Imports;
use source::{Place, Source};

/// The share of types that have the name of another type must stay below this.
const SHARED_NAMES_PERCENT: usize = 3;

/// By convention, the fields of a type that are behind its lock. Listed, but not counted.
const CONVENTIONAL_NAME: &str = "Inner";

/// The most lines of a function's body.
const FUNCTION_LINES: usize = 70;

/// How many of the longest functions and files are printed.
const LONGEST: usize = 10;

fn main() -> ExitCode {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = match source::read_all(&|path| fs::read_to_string(src.join(path)).ok()) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let types = sources.iter().map(|file| file.types.len()).sum();
    let mut failures = report_circles(&sources);
    failures.extend(report_functions(&sources));
    report_files(&sources);
    failures.extend(report_names(&shared_names(&sources), types));
    for failure in &failures {
        eprintln!("error: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the names of two or more types, each with the places of the types.
fn shared_names(sources: &[Source]) -> BTreeMap<&str, Vec<String>> {
    let mut names = BTreeMap::<&str, Vec<String>>::new();
    for file in sources {
        for Place { name, line } in &file.types {
            names.entry(name).or_default().push(format!("{}:{line}", file.path));
        }
    }
    names.retain(|_, places| places.len() > 1);
    names
}

fn report_names(shared: &BTreeMap<&str, Vec<String>>, all: usize) -> Option<String> {
    let counted = shared.iter().filter(|(name, _)| **name != CONVENTIONAL_NAME);
    let types: usize = counted.clone().map(|(_, places)| places.len()).sum();
    let share = format!(
        "{types} of {all} types ({}.{} %) share their name with another",
        types * 100 / all,
        types * 1_000 / all % 10,
    );
    println!("\n{share}: {} names (limit: below {SHARED_NAMES_PERCENT} %)", counted.count());
    let mut by_count: Vec<_> = shared.iter().collect();
    by_count.sort_by_key(|(_, places)| Reverse(places.len()));
    for (name, places) in by_count {
        let mark = if *name == CONVENTIONAL_NAME { " (not counted)" } else { "" };
        println!("  {} {name}{mark}: {}", places.len(), places.join(", "));
    }
    let fails = types * 100 >= SHARED_NAMES_PERCENT * all;
    fails.then(|| format!("{share}; the limit is below {SHARED_NAMES_PERCENT} %"))
}

/// Prints the circles of each room, which is a top-level directory of `src`, and how large they are
/// inside each directory below.
fn report_circles(sources: &[Source]) -> Vec<String> {
    let imports = Imports::of(sources);
    let directories = sources.iter().filter_map(|file| Some(file.path.rsplit_once('/')?.0));
    let mut failures = Vec::new();
    println!("import circles: the largest of each room, and what ties them (limit: none)");
    for directory in directories.collect::<BTreeSet<_>>() {
        let circles = imports.circles(&format!("{directory}/"));
        let Some(largest) = circles.iter().map(BTreeSet::len).max() else { continue };
        if directory.contains('/') {
            println!("    inside {directory}: {largest} files");
            continue;
        }
        println!("  {directory}: {largest} files");
        for circle in &circles {
            println!("    a circle of {} files", circle.len());
            for (from, to, names) in imports.between(circle) {
                let names: Vec<_> = names.iter().copied().collect();
                println!("      {from} -> {to}: {}", names.join(", "));
            }
        }
        failures.push(format!("{largest} files of {directory}/ import each other in a circle"));
    }
    failures
}

fn report_functions(sources: &[Source]) -> Option<String> {
    let all = sources.iter().flat_map(|file| file.functions.iter().map(move |f| (f.1, file, &f.0)));
    let mut functions: Vec<_> = all.collect();
    functions.sort_by_key(|(lines, ..)| Reverse(*lines));
    let long = functions.iter().take_while(|(lines, ..)| *lines > FUNCTION_LINES).count();
    let count =
        format!("{long} of {} functions are longer than {FUNCTION_LINES} lines", functions.len());
    println!("\n{count} (limit: none)");
    for (lines, file, Place { name, line }) in functions.into_iter().take(LONGEST.max(long)) {
        println!("  {lines:4}  {name}  {}:{line}", file.path);
    }
    (long > 0).then_some(count)
}

fn report_files(sources: &[Source]) {
    let mut files: Vec<_> = sources.iter().map(|file| (file.lines, &file.path)).collect();
    files.sort_by_key(|(lines, _)| Reverse(*lines));
    let lines: usize = files.iter().map(|(lines, _)| lines).sum();
    println!("\nlongest of {} files, of {lines} lines without tests", files.len());
    for (lines, path) in files.into_iter().take(LONGEST) {
        println!("  {lines:4}  {path}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_name_of_two_types_and_no_type_of_tests() {
        let sources = source::planted(&[
            ("lib.rs", "mod a; mod b; struct Alone; #[cfg(test)] mod tests;"),
            ("a.rs", "struct Row;\nfn f() { enum Wire {} }"),
            ("b.rs", "\ntrait Row {}\ntype Wire = u8;\n#[cfg(test)] mod tests { struct Alone; }"),
        ]);
        let shared = shared_names(&sources);
        assert_eq!(shared.keys().copied().collect::<Vec<_>>(), ["Row", "Wire"]);
        assert_eq!(shared.get("Row").unwrap(), &["a.rs:1", "b.rs:2"]);
        let at_limit = 4 * 100 / SHARED_NAMES_PERCENT;
        assert!(report_names(&shared, at_limit).is_some());
        assert!(report_names(&shared, at_limit + 1).is_none());
    }

    #[test]
    fn fails_when_a_room_has_a_circle() {
        let failures = |b| {
            let (top, room) = (("lib.rs", "mod x;"), ("x/mod.rs", "mod a; mod b;"));
            report_circles(&source::planted(&[top, room, ("x/a.rs", "use super::b::B;"), b])).len()
        };
        assert_eq!(failures(("x/b.rs", "struct B;")), 0);
        assert_eq!(failures(("x/b.rs", "struct B; fn f() { super::a::g() }")), 1);
    }

    #[test]
    fn fails_when_one_more_function_is_long() {
        let long = |lines| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines));
        let fails =
            |text: String| report_functions(&source::planted(&[("lib.rs", &text)])).is_some();
        assert!(!fails(long(FUNCTION_LINES)));
        assert!(fails(long(FUNCTION_LINES + 1)));
    }
}
