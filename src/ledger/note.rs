//! Operators' notes on tokens.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::plain_text::steers;

/// A note that lists show beside a token, often empty.
///
/// It has at most [`Note::LEN_MAX`] characters, none of which [`steers`]. Binary formats check only
/// the length: a log may hold notes that an older version, with a smaller set of steering
/// characters, accepted.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Note(Box<str>);

impl Note {
    /// The most characters a note may have.
    pub const LEN_MAX: usize = 200;

    /// Returns the note with this text.
    ///
    /// # Errors
    ///
    /// [`NoteError`] names the first rule that `text` breaks.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, NoteError> {
        let note = Self::with_any_characters(text.into())?;
        if note.0.chars().any(steers) {
            return Err(NoteError::ControlCharacter);
        }
        Ok(note)
    }

    fn with_any_characters(text: Box<str>) -> Result<Self, NoteError> {
        match text.chars().count() {
            length if length > Self::LEN_MAX => Err(NoteError::TooLong(length)),
            _ => Ok(Self(text)),
        }
    }

    /// Returns the note as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if the note is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_text = deserializer.is_human_readable();
        let text = Box::<str>::deserialize(deserializer)?;
        let note = if is_text { Self::new(text) } else { Self::with_any_characters(text) };
        note.map_err(D::Error::custom)
    }
}

/// Why a text is not a note.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NoteError {
    /// It has more than [`Note::LEN_MAX`] characters.
    #[error("the note has {0} characters, at most {max} are allowed", max = Note::LEN_MAX)]
    TooLong(usize),
    /// It contains a control character, such as a line feed, or another character that [`steers`].
    #[error("the note contains a control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Command, Entry, State, TokenRecord, snapshot};
    use crate::token::{
        Batch, KeyId, Nonce, ProfileKind, TokenId, UnixSeconds, UseLimit, UserName,
    };

    #[test]
    fn counts_characters_not_bytes() {
        assert!(Note::new("\u{674e}".repeat(200)).is_ok());
        assert_eq!(Note::new("x".repeat(201)), Err(NoteError::TooLong(201)));
        assert!(Note::new("").unwrap().is_empty());
    }

    #[test]
    fn refuses_steering_characters_in_text() {
        for text in ["a\nb", "\0", "\u{1b}[31m", "\u{85}", "\u{202e}txt", "a\u{2028}b", "\u{200f}"]
        {
            assert_eq!(Note::new(text), Err(NoteError::ControlCharacter), "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<Note>(&json).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_old_log_entry_with_a_note_that_is_refused_today_replays() {
        let token = TokenId { key_id: KeyId([1; 4]), nonce: Nonce::new(Batch([2; 4]), [3; 12]) };
        let record = TokenRecord {
            token,
            kind: ProfileKind::UserLocked,
            user: UserName::new("alice").unwrap(),
            issued_at: UnixSeconds::new(10),
            expires_at: UnixSeconds::new(20),
            uses: UseLimit::Unlimited,
        };
        let note = Note("left \u{200f}right".into());
        let commands = vec![Command::Record { record, note: note.clone() }];
        let entry = Entry { timestamp: UnixSeconds::new(11), commands };
        let bytes = postcard::to_stdvec(&entry).unwrap();
        let entry: Entry = postcard::from_bytes(&bytes).unwrap();
        let mut state = State::new(UnixSeconds::new(1));
        state.apply(&entry);
        let restored = snapshot::decode(&snapshot::encode(&state)).unwrap();
        assert_eq!(restored.token(token).unwrap().note, note);
    }

    #[test]
    fn the_binary_form_is_that_of_a_string_and_has_a_bounded_length() {
        let text = "x".repeat(200);
        let bytes = postcard::to_stdvec(&Note::new(text.as_str()).unwrap()).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(&text).unwrap());
        let bytes = postcard::to_stdvec(&"x".repeat(201)).unwrap();
        assert!(postcard::from_bytes::<Note>(&bytes).is_err());
    }
}
