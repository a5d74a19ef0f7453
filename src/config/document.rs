//! The settings of a file and of the environment, each with its origin.
//!
//! [`Settings`] are taken one by one. Reading never stops at the first fault, so that one run
//! reports them all. Any key that was not taken is unknown. This module does no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::error::{ConfigFault, Origin};
use super::setting::{FromSetting, Raw};

/// A copy of the environment variables whose names begin with `JETON_`.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Copies those of `variables` whose names begin with `JETON_`. The others may be secrets of
    /// other programs.
    pub fn from_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("JETON_").then_some((name, value))
        });
        Self(ours.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }
}

/// Settings by their dotted paths, such as `public.listen`.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    /// What the file sets, each with its line.
    in_file: BTreeMap<String, (Raw, usize)>,
    environment: &'a Environment,
    base: PathBuf,
    known: BTreeSet<&'static str>,
    faults: Vec<ConfigFault>,
}

impl<'a> Settings<'a> {
    /// Parses TOML. Relative paths in it and in the environment are resolved against `base`.
    pub(super) fn read(text: &str, environment: &'a Environment, base: &Path) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut in_file = BTreeMap::new();
        flatten(table.get_ref(), "", text, &mut in_file);
        let line_of = |span: Range<usize>| Origin::Line(line(text, span.start));
        let fault = |error: &toml::de::Error| ConfigFault {
            key: None,
            origin: error.span().map_or(Origin::Nowhere, line_of),
            what: error.message().to_owned(),
        };
        let faults = errors.iter().map(fault).collect();
        Self { in_file, environment, base: base.to_owned(), known: BTreeSet::new(), faults }
    }

    /// Takes the setting `key`; the environment overrides the file. Returns `None` if it is not
    /// set, or if it is wrong, which adds a fault.
    pub(super) fn take<T: FromSetting>(&mut self, key: &'static str) -> Option<T> {
        self.known.insert(key);
        let from_file = self.in_file.remove(key);
        let name = variable(key);
        let (raw, origin) = match (self.environment.get(&name), from_file) {
            (Some(value), _) => match value.to_str() {
                Some(value) => (Raw::Variable(value.to_owned()), Origin::Environment(name)),
                None => {
                    self.fault(key, Origin::Environment(name), format!("`{key}` is not UTF-8"));
                    return None;
                }
            },
            (None, Some((raw, line))) => (raw, Origin::Line(line)),
            (None, None) => return None,
        };
        match T::from_setting(&raw) {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(key, origin, format!("`{key}` {why}"));
                None
            }
        }
    }

    /// Takes a path and resolves it.
    pub(super) fn take_path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path: PathBuf = self.take(key)?;
        Some(self.base.join(path))
    }

    /// Resolves a default path.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Returns where `key` is set. Call this before [`Settings::take`].
    pub(super) fn origin(&self, key: &'static str) -> Origin {
        let name = variable(key);
        if self.environment.get(&name).is_some() {
            return Origin::Environment(name);
        }
        self.in_file.get(key).map_or(Origin::Nowhere, |(_, line)| Origin::Line(*line))
    }

    /// Adds a fault of `key`.
    pub(super) fn fault(
        &mut self,
        key: impl Into<String>,
        origin: Origin,
        what: impl Into<String>,
    ) {
        self.faults.push(ConfigFault { key: Some(key.into()), origin, what: what.into() });
    }

    /// Returns the keys that were taken.
    #[cfg(test)]
    pub(super) fn known(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().copied()
    }

    /// Returns all faults, sorted by origin, with one for each key that was not taken.
    pub(super) fn finish(mut self) -> Vec<ConfigFault> {
        for (key, (raw, line)) in std::mem::take(&mut self.in_file) {
            let is_section = self.known.iter().any(|known| is_below(known, &key));
            let what = match (is_section, raw) {
                (true, Raw::EmptySection) => continue,
                (true, _) => format!("`{key}` is a section, written [{key}]"),
                (false, _) => self.unknown(&key),
            };
            self.fault(key, Origin::Line(line), what);
        }
        self.faults.sort_by(|a, b| a.origin.cmp(&b.origin));
        self.faults
    }

    /// Describes an unknown key and lists the keys of its section.
    fn unknown(&self, key: &str) -> String {
        let (section, _) = key.rsplit_once('.').unwrap_or(("", key));
        let known = self.known.iter().filter_map(|known| match known.rsplit_once('.') {
            Some((of, name)) => (of == section).then_some(name),
            None => section.is_empty().then_some(*known),
        });
        let known = known.collect::<Vec<_>>().join(", ");
        match (known.is_empty(), section) {
            (true, _) => format!("unknown key `{key}`"),
            (false, "") => format!("unknown key `{key}`; known keys outside of sections: {known}"),
            (false, _) => format!("unknown key `{key}`; known keys of [{section}]: {known}"),
        }
    }
}

/// Returns the name of the environment variable that overrides `key`.
pub(super) fn variable(key: &str) -> String {
    format!("JETON_{}", key.replace('.', "_").to_ascii_uppercase())
}

fn is_below(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

fn flatten(
    table: &DeTable<'_>,
    prefix: &str,
    text: &str,
    settings: &mut BTreeMap<String, (Raw, usize)>,
) {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        let line = line(text, Spanned::span(key).start);
        match value.get_ref().as_table() {
            Some(table) if !table.is_empty() => {
                flatten(table, &format!("{path}."), text, settings);
            }
            Some(_) | None => {
                settings.insert(path, (Raw::from_toml(value.get_ref()), line));
            }
        }
    }
}

/// Returns the number of the line of byte `at`, counted from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn settings<'a>(text: &str, environment: &'a Environment) -> Settings<'a> {
        Settings::read(text, environment, Path::new("/base"))
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from_variables(variables.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let set = environment(&[("JETON_A_B", "7"), ("OTHER", "x")]);
        let mut settings = settings("[a]\nb = 5\nc = 6", &set);
        assert_eq!(settings.take("a.b"), NonZeroU32::new(7));
        assert_eq!(settings.take("a.c"), NonZeroU32::new(6));
        assert_eq!(settings.finish(), []);
    }

    #[test]
    fn every_fault_has_its_origin() {
        let set = environment(&[("JETON_A_X", "many")]);
        let mut settings = settings("top = 1\n[a]\nb = \"5\"\nbb = 5\n[c]\n", &set);
        assert_eq!(settings.take::<NonZeroU32>("a.b"), None);
        assert_eq!(settings.take::<NonZeroU32>("a.x"), None);
        let faults: Vec<String> = settings.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "line 1: unknown key `top`",
                "line 3: `a.b` must be a whole number without quotes",
                "line 4: unknown key `a.bb`; known keys of [a]: b, x",
                "line 5: unknown key `c`",
                "JETON_A_X: `a.x` must be a whole number from 1 to 4294967295",
            ]
        );
    }

    #[test]
    fn reports_every_syntax_error() {
        let set = Environment::default();
        let faults = settings("a = \nb = 1 2\n[c", &set).finish();
        let lines: BTreeSet<_> = faults.iter().map(|fault| fault.origin.clone()).collect();
        for line in [1, 2, 3] {
            assert!(lines.contains(&Origin::Line(line)), "{faults:?}");
        }
    }

    #[test]
    fn accepts_an_empty_section() {
        let set = Environment::default();
        let mut settings = settings("[a]\n", &set);
        assert_eq!(settings.take::<NonZeroU32>("a.b"), None);
        assert_eq!(settings.finish(), []);
    }

    #[test]
    fn resolves_paths_against_the_base() {
        let set = environment(&[("JETON_B", "b"), ("JETON_C", "/c")]);
        let mut settings = settings("a = \"x/a\"", &set);
        assert_eq!(settings.take_path("a"), Some("/base/x/a".into()));
        assert_eq!(settings.take_path("b"), Some("/base/b".into()));
        assert_eq!(settings.take_path("c"), Some("/c".into()));
    }
}
