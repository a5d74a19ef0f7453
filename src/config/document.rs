//! The settings of a file and of the environment, each with its origin.
//!
//! A [`Document`] is read setting by setting. It never stops at the first
//! fault, because a person who mends a file wants to hear of all of them; and
//! what nobody asked for by the end is an unknown key. It touches no file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::error::{ConfigFault, Origin};
use super::setting::{FromSetting, Raw};

/// The variables whose names begin with `JETON_`, as they stood once.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Takes those of `variables` whose names begin with `JETON_`. Their values
    /// may be secret to others, so nothing else is kept.
    pub fn from_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("JETON_").then_some((name, value))
        });
        Self(ours.collect())
    }

    /// Returns the value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }
}

/// Settings by their dotted paths, such as `public.listen`.
#[derive(Debug)]
pub(super) struct Document<'a> {
    settings: BTreeMap<String, (Raw, usize)>,
    environment: &'a Environment,
    base: PathBuf,
    asked: BTreeSet<&'static str>,
    faults: Vec<ConfigFault>,
}

impl<'a> Document<'a> {
    /// Reads a TOML text. Relative paths in it, and in the environment, start
    /// at `base`.
    pub(super) fn read(text: &str, environment: &'a Environment, base: &Path) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut settings = BTreeMap::new();
        flatten(table.get_ref(), "", text, &mut settings);
        let faults = errors.iter().map(|error| ConfigFault {
            origin: error
                .span()
                .map_or(Origin::Nowhere, |span| Origin::Line(line(text, span.start))),
            what: error.message().to_owned(),
        });
        let faults = faults.collect();
        let base = base.to_owned();
        Self { settings, environment, base, asked: BTreeSet::new(), faults }
    }

    /// Takes the setting at `key`; the environment comes before the file.
    /// `None` if it is not set, or is wrong, which is noted.
    pub(super) fn take<T: FromSetting>(&mut self, key: &'static str) -> Option<T> {
        self.asked.insert(key);
        let from_file = self.settings.remove(key);
        let name = variable(key);
        let (raw, origin) = match (self.environment.get(&name), from_file) {
            (Some(value), _) => match value.to_str() {
                Some(value) => (Raw::Variable(value.to_owned()), Origin::Environment(name)),
                None => {
                    let what = format!("`{key}` is not UTF-8");
                    self.faults.push(ConfigFault { origin: Origin::Environment(name), what });
                    return None;
                }
            },
            (None, Some((raw, line))) => (raw, Origin::Line(line)),
            (None, None) => return None,
        };
        match T::from_setting(&raw) {
            Ok(value) => Some(value),
            Err(why) => {
                self.faults.push(ConfigFault { origin, what: format!("`{key}` {why}") });
                None
            }
        }
    }

    /// Takes a path, and resolves it.
    pub(super) fn take_path(&mut self, key: &'static str) -> Option<PathBuf> {
        let path = self.take::<PathBuf>(key)?;
        Some(self.base.join(path))
    }

    /// Returns where `path` lies that was no setting but a default.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// Returns where `key` is set. Ask before it is taken.
    pub(super) fn origin(&self, key: &'static str) -> Origin {
        let name = variable(key);
        if self.environment.get(&name).is_some() {
            return Origin::Environment(name);
        }
        self.settings.get(key).map_or(Origin::Nowhere, |(_, line)| Origin::Line(*line))
    }

    /// Notes a fault that only shows when settings are seen together.
    pub(super) fn fault(&mut self, origin: Origin, what: impl Into<String>) {
        self.faults.push(ConfigFault { origin, what: what.into() });
    }

    /// Returns the keys that were asked for.
    #[cfg(test)]
    pub(super) fn asked(&self) -> impl Iterator<Item = &'static str> {
        self.asked.iter().copied()
    }

    /// Returns all faults: those noted, and the keys that nobody asked for.
    pub(super) fn finish(mut self) -> Vec<ConfigFault> {
        for (key, (raw, line)) in std::mem::take(&mut self.settings) {
            let is_section = self.asked.iter().any(|asked| is_below(asked, &key));
            let what = match (is_section, raw) {
                (true, Raw::EmptySection) => continue,
                (true, _) => format!("`{key}` is a section, written [{key}]"),
                (false, _) => self.unknown(&key),
            };
            self.faults.push(ConfigFault { origin: Origin::Line(line), what });
        }
        self.faults.sort_by(|a, b| a.origin.cmp(&b.origin));
        self.faults
    }

    /// Says that `key` is none of ours, and which are.
    fn unknown(&self, key: &str) -> String {
        let (section, _) = key.rsplit_once('.').unwrap_or(("", key));
        let known = self.asked.iter().filter_map(|asked| match asked.rsplit_once('.') {
            Some((of, name)) => (of == section).then_some(name),
            None => section.is_empty().then_some(*asked),
        });
        let known = known.collect::<Vec<_>>().join(", ");
        match (known.is_empty(), section) {
            (true, _) => format!("unknown key `{key}`"),
            (false, "") => format!("unknown key `{key}`; outside of sections there is {known}"),
            (false, _) => format!("unknown key `{key}`; [{section}] has {known}"),
        }
    }
}

/// Returns the name of the variable that overrides `key`.
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

/// Returns the number of the line in which byte `at` stands, counted from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn document<'a>(text: &str, environment: &'a Environment) -> Document<'a> {
        Document::read(text, environment, Path::new("/base"))
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from_variables(variables.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let set = environment(&[("JETON_A_B", "7"), ("OTHER", "x")]);
        let mut doc = document("[a]\nb = 5\nc = 6", &set);
        assert_eq!(doc.take("a.b"), NonZeroU32::new(7));
        assert_eq!(doc.take("a.c"), NonZeroU32::new(6));
        assert_eq!(doc.finish(), []);
    }

    #[test]
    fn every_fault_is_told_with_its_origin() {
        let set = environment(&[("JETON_A_X", "many")]);
        let mut doc = document("top = 1\n[a]\nb = \"5\"\nbb = 5\n[c]\n", &set);
        assert_eq!(doc.take::<NonZeroU32>("a.b"), None);
        assert_eq!(doc.take::<NonZeroU32>("a.x"), None);
        let faults: Vec<String> = doc.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "line 1: unknown key `top`",
                "line 3: `a.b` must be a number without quotes",
                "line 4: unknown key `a.bb`; [a] has b, x",
                "line 5: unknown key `c`",
                "JETON_A_X: `a.x` must be a number from 1 to 4294967295",
            ]
        );
    }

    #[test]
    fn all_faults_of_syntax_are_told() {
        let set = Environment::default();
        let faults = document("a = \nb = 1 2\n[c", &set).finish();
        let lines: BTreeSet<_> = faults.iter().map(|fault| fault.origin.clone()).collect();
        for line in [1, 2, 3] {
            assert!(lines.contains(&Origin::Line(line)), "{faults:?}");
        }
    }

    #[test]
    fn an_empty_section_is_no_fault() {
        let set = Environment::default();
        let mut doc = document("[a]\n", &set);
        assert_eq!(doc.take::<NonZeroU32>("a.b"), None);
        assert_eq!(doc.finish(), []);
    }

    #[test]
    fn paths_start_at_the_base() {
        let set = environment(&[("JETON_B", "b"), ("JETON_C", "/c")]);
        let mut doc = document("a = \"x/a\"", &set);
        assert_eq!(doc.take_path("a"), Some("/base/x/a".into()));
        assert_eq!(doc.take_path("b"), Some("/base/b".into()));
        assert_eq!(doc.take_path("c"), Some("/c".into()));
    }
}
