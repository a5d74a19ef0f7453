//! The output formats of commands.

use clap::ValueEnum;

/// The formats of `mint`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum MintFormat {
    /// Labeled lines for people
    Text,
    /// One line per token, each a JSON object
    Json,
    /// Comma-separated values with a header line
    Csv,
    /// One import link per line, and nothing else
    Url,
}

/// The formats of `inspect` and `ledger hash`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// Labeled lines for people
    Text,
    /// One JSON object
    Json,
}

/// The formats of `admin-link`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LinkFormat {
    /// The link on stdout, and an explanation on stderr
    Text,
    /// One JSON object
    Json,
    /// The token alone, for `Authorization: Bearer`
    Token,
}

/// The formats of lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ListFormat {
    /// An aligned table for people
    Text,
    /// One JSON array
    Json,
    /// Comma-separated values with a header line
    Csv,
}

/// The formats of `cluster status`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum MembersFormat {
    /// An aligned table for people
    Text,
    /// One JSON object with the members and the alarms
    Json,
    /// Comma-separated values with a header line; members only
    Csv,
}

/// The formats of commands that change something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ChangeFormat {
    /// A sentence for people
    Text,
    /// One line per change, each a JSON object
    Json,
}

/// The formats of commands whose exit code is the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// A short text for people
    Text,
    /// One JSON object
    Json,
}

/// The formats of `user list`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum UserFormat {
    /// An aligned table for people
    Text,
    /// One JSON array
    Json,
    /// Comma-separated values with a header line
    Csv,
    /// A file for `jeton mint --users`
    Toml,
}
