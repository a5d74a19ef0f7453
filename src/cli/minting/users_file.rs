//! The file with the permissions for a machine that mints offline. `jeton user list --format toml`
//! writes it, `--users` reads it.
//!
//! ```toml
//! [[user]]
//! name = "alice"
//! autologin = true
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use crate::failure::Failure;
use crate::token::UserName;

const HEAD: &str = "\
# Users who may have autologin profiles, for `jeton mint --users FILE` on an offline
# machine. The nodes check again when a link is used.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    user: Vec<UserEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: UserName,
    autologin: bool,
}

/// Reads the users who may have autologin profiles.
pub(crate) fn read(path: &Path) -> Result<BTreeSet<UserName>, Failure> {
    let hint = "`jeton user list --format toml` writes such a file";
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::say(format!("cannot read the users file {}: {error}", path.display()), hint)
    })?;
    parse(&text).map_err(|error| {
        Failure::say(format!("{} is not a users file: {error}", path.display()), hint)
    })
}

/// Formats users, each with whether autologin is allowed.
pub(crate) fn write<'a>(users: impl IntoIterator<Item = (&'a UserName, bool)>) -> String {
    let mut text = HEAD.to_owned();
    for (user, autologin) in users {
        text += &format!("\n[[user]]\nname = {}\nautologin = {autologin}\n", quoted(user.as_str()));
    }
    text
}

fn parse(text: &str) -> Result<BTreeSet<UserName>, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    // A user who is listed more than once is allowed only if no entry denies it.
    let denied: BTreeSet<_> = names(&file, false).collect();
    Ok(names(&file, true).filter(|name| !denied.contains(name)).collect())
}

fn names(file: &File, autologin: bool) -> impl Iterator<Item = UserName> {
    let entries = file.user.iter().filter(move |user| user.autologin == autologin);
    entries.map(|user| user.name.clone())
}

/// Formats a basic string of TOML. A user name has no control characters.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    #[test]
    fn reads_what_it_writes() {
        let (alice, odd, bob) = (user("alice@example.com"), user("o\"dd #[x]"), user("bob"));
        let text = write([(&alice, true), (&odd, true), (&bob, false)]);
        assert_eq!(parse(&text).unwrap(), BTreeSet::from([alice, odd]));
        assert_eq!(parse(&write([])).unwrap(), BTreeSet::new());
    }

    #[test]
    fn contradictory_and_bad_entries_allow_nothing() {
        let (alice, allowed) = (user("alice"), "[[user]]\nname = \"alice\"\nautologin = true\n");
        assert!(parse(allowed).unwrap().contains(&alice));
        let both = format!("{allowed}{}", allowed.replace("true", "false"));
        assert!(!parse(&both).unwrap().contains(&alice));
        for bad in ["alice = true", "[[user]]\nname = \"a/b\"\nautologin = true", "[[user]]\n"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
