//! The forms in which commands give their results.

use clap::ValueEnum;

/// How `mint` writes the tokens it made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum MintFormat {
    /// Labelled lines for people
    Text,
    /// One JSON object a line, one line a token
    Json,
    /// Comma-separated values with a head line
    Csv,
    /// The import link only, one line a token
    Url,
}

/// How `inspect` writes what a token says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// Labelled lines for people
    Text,
    /// One JSON object
    Json,
}

/// How `admin-link` writes what it made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LinkFormat {
    /// The link, and on stderr what it is
    Text,
    /// One JSON object
    Json,
    /// The token alone, for `Authorization: Bearer`
    Token,
}

/// How lists are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ListFormat {
    /// An aligned table for people
    Text,
    /// One JSON array
    Json,
    /// Comma-separated values with a head line
    Csv,
}

/// How `cluster status` writes the members.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum MembersFormat {
    /// An aligned table for people
    Text,
    /// One JSON object: the members, and the alarms
    Json,
    /// Comma-separated values with a head line; the members alone
    Csv,
}

/// How commands that change something write what they did.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ChangeFormat {
    /// A sentence for people
    Text,
    /// One JSON object a line, one line a change
    Json,
}

/// How commands whose exit code is the answer write it out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// A few words for people, or none where all is well
    Text,
    /// One JSON object
    Json,
}

/// How the list of users is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum UserFormat {
    /// An aligned table for people
    Text,
    /// One JSON array
    Json,
    /// Comma-separated values with a head line
    Csv,
    /// A file for `jeton mint --users`
    Toml,
}
