//! Text for people, as clients read it: what a node sends may hold what users and other nodes
//! wrote.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::ledger::Note;
use crate::plain_text::without_steering;

/// A type that holds text for people.
pub(super) trait Plain: Sized {
    /// Replaces the characters that could steer a terminal.
    fn plain(self) -> Self;
}

/// Deserializes text for people, without the characters that could steer a terminal. For
/// `#[serde(deserialize_with = "plain")]`.
pub(super) fn plain<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Plain,
    D: Deserializer<'de>,
{
    T::deserialize(from).map(Plain::plain)
}

/// Deserializes a note in the same way. One that is longer than a note is left out.
pub(super) fn plain_note<'de, D: Deserializer<'de>>(from: D) -> Result<Note, D::Error> {
    let text: String = plain(from)?;
    Ok(Note::new(text).unwrap_or_default())
}

impl Plain for String {
    fn plain(self) -> Self {
        without_steering(&self)
    }
}

impl Plain for Zeroizing<String> {
    fn plain(self) -> Self {
        Self::new(without_steering(&self))
    }
}

impl<T: Plain> Plain for Option<T> {
    fn plain(self) -> Self {
        self.map(T::plain)
    }
}

impl<T: Plain> Plain for Vec<T> {
    fn plain(self) -> Self {
        self.into_iter().map(T::plain).collect()
    }
}
