//! Which file imports which, and the circles among them.
//!
//! An import counts for the file that defines the item, not for a file that re-exports it. A path
//! in the code counts like a `use`. A `mod` declaration does not count. A re-export counts only if
//! the code of its own file uses the name.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Names, Source};

/// The names that one file imports from another, by the importer and the other.
pub(crate) struct Imports<'a>(BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>);

impl<'a> Imports<'a> {
    pub(crate) fn of(sources: &'a [Source]) -> Self {
        let modules = Modules(sources.iter().map(|file| (file.module.as_slice(), file)).collect());
        let mut imports = Self(BTreeMap::new());
        for file in sources {
            let used = file.uses.iter().filter(|used| !used.re_exports).map(|used| &used.path);
            for path in used.chain(&file.paths) {
                if let Some(Named::Item(other, name)) = modules.resolve(file, path)
                    && other.path != file.path
                {
                    let others = imports.0.entry(&file.path).or_default();
                    others.entry(&other.path).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// Returns each set of files below `room` that all import each other, directly or through
    /// others below `room`, the largest first.
    pub(crate) fn circles(&self, room: &str) -> Vec<BTreeSet<&'a str>> {
        let files = self.0.keys().filter(|file| file.starts_with(room));
        let reached: BTreeMap<_, _> = files.map(|file| (*file, self.reach(file, room))).collect();
        let returns = |from: &str, to: &str| reached.get(from).is_some_and(|all| all.contains(to));
        let circle = |file| -> BTreeSet<&'a str> {
            let both = |other: &&&str| returns(file, other) && returns(other, file);
            reached.keys().filter(both).copied().collect()
        };
        let circles: BTreeSet<_> = reached.keys().map(|file| circle(file)).collect();
        let mut circles: Vec<_> = circles.into_iter().filter(|circle| !circle.is_empty()).collect();
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }

    /// Returns the files below `room` that `file` imports, and that these import.
    fn reach(&self, file: &'a str, room: &str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut next = vec![file];
        while let Some(file) = next.pop() {
            let others = self.0.get(file).into_iter().flat_map(BTreeMap::keys);
            next.extend(others.filter(|file| file.starts_with(room) && reached.insert(**file)));
        }
        reached
    }

    /// Returns what the files of a circle import from each other.
    pub(crate) fn between<'s>(
        &'s self,
        circle: &'s BTreeSet<&'a str>,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'s BTreeSet<&'a str>)> {
        circle.iter().flat_map(move |from| {
            let others = self.0.get(from).into_iter().flatten();
            others.filter(|(to, _)| circle.contains(*to)).map(|(to, names)| (*from, *to, names))
        })
    }
}

/// The files, by the modules that they are.
struct Modules<'a>(BTreeMap<&'a [String], &'a Source>);

/// What a path names.
enum Named<'a> {
    Module(&'a Source),
    /// An item or something inside it, and the file that defines it.
    Item(&'a Source, &'a str),
}

impl<'a> Modules<'a> {
    /// Returns what `path` names in `file`. Names of `file` itself and of other crates are `None`.
    fn resolve(&self, file: &'a Source, path: &'a Names) -> Option<Named<'a>> {
        let mut at = file;
        for (index, name) in path.iter().enumerate() {
            let submodule = self.get(&[at.module.as_slice(), std::slice::from_ref(name)].concat());
            let last = index + 1 == path.len();
            at = match (name.as_str(), submodule) {
                ("crate" | "jeton", _) => self.get(&[])?,
                ("self", _) => at,
                ("super", _) => self.get(at.module.split_last()?.1)?,
                (_, Some(submodule)) if !last => submodule,
                (_, submodule) => {
                    let used = at.uses.iter().find(|used| used.name == *name);
                    // `use name::{self}` of another crate would lead back to itself.
                    let used =
                        used.filter(|used| submodule.is_some() || used.path.first() != Some(name));
                    match (used, submodule) {
                        (Some(used), _) => match self.resolve(at, &used.path)? {
                            Named::Module(module) => module,
                            item @ Named::Item(..) => return Some(item),
                        },
                        (None, Some(submodule)) => submodule,
                        (None, None) if index == 0 => return None,
                        (None, None) => return Some(Named::Item(at, name)),
                    }
                }
            };
        }
        Some(Named::Module(at))
    }

    fn get(&self, module: &[String]) -> Option<&'a Source> {
        self.0.get(module).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::planted;

    fn imported<'a>(imports: &Imports<'a>, from: &str) -> Vec<(&'a str, Vec<&'a str>)> {
        let all = imports.0.get(from).into_iter().flatten();
        all.map(|(to, names)| (*to, names.iter().copied().collect())).collect()
    }

    const OTHER: &str = "use crate::one::{self, Deep, Own}; use std::fmt;
        fn f() { one::run(); println!(\"{}\", one::deeper::A); fmt::f() }";

    #[test]
    fn attributes_an_import_to_the_file_that_defines_the_item() {
        let sources = planted(&[
            ("lib.rs", "mod one; mod other;"),
            ("one/mod.rs", "mod deep; mod deeper; pub use deep::{Deep, go as run}; struct Own;"),
            ("one/deep.rs", "pub struct Deep; pub fn go() {} const A: u8 = super::deeper::A;"),
            ("one/deeper.rs", "pub const A: u8 = 1; #[cfg(test)] use super::Own;"),
            ("other.rs", OTHER),
        ]);
        let imports = Imports::of(&sources);
        let [deep, deeper] = [("one/deep.rs", vec!["Deep", "go"]), ("one/deeper.rs", vec!["A"])];
        let own = ("one/mod.rs", vec!["Own"]);
        assert_eq!(imported(&imports, "other.rs"), [deep, deeper.clone(), own]);
        assert_eq!(imported(&imports, "one/deep.rs"), [deeper]);
        assert!(imported(&imports, "one/mod.rs").is_empty(), "a re-export is not an import");
        assert!(imported(&imports, "one/deeper.rs").is_empty(), "tests do not count");
    }

    #[test]
    fn finds_a_circle_inside_its_room_only() {
        let sources = planted(&[
            ("lib.rs", "mod x; mod y;"),
            ("x/mod.rs", "mod a; mod b; mod c; pub use a::A;"),
            ("x/a.rs", "use super::b::B; pub struct A;"),
            ("x/b.rs", "struct B; fn f(_: super::c::C) { crate::y::y() }"),
            ("x/c.rs", "struct C; #[serde(with = \"super::A\")] struct D;"),
            ("y.rs", "pub fn y() { crate::x::c::f() }"),
        ]);
        let imports = Imports::of(&sources);
        assert_eq!(imports.circles("x/"), [BTreeSet::from(["x/a.rs", "x/b.rs", "x/c.rs"])]);
        assert!(imports.circles("y").is_empty());
    }
}
