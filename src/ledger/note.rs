//! What an operator wrote beside a token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::plain_text::steers;

/// A remark that lists show beside a token, such as whom the link was sent to.
/// It has at most [`Note::LEN_MAX`] characters and no control character, and
/// most often none at all.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Note(Box<str>);

impl Note {
    /// The most characters a note may have.
    pub const LEN_MAX: usize = 200;

    /// Checks `text` and takes it.
    ///
    /// # Errors
    ///
    /// Returns the first rule that `text` breaks.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, NoteError> {
        let text = text.into();
        let length = text.chars().count();
        if length > Self::LEN_MAX {
            return Err(NoteError::TooLong(length));
        }
        if text.chars().any(steers) {
            return Err(NoteError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// Returns the note as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether there is no remark.
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

/// Checks a note that is read from text, such as JSON. One in bytes, as in the log, was checked
/// when it was made: the rules of that time may have been others.
impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let is_text = from.is_human_readable();
        let text = Box::<str>::deserialize(from)?;
        if is_text { Self::new(text).map_err(de::Error::custom) } else { Ok(Self(text)) }
    }
}

/// Why a text is no note.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NoteError {
    /// It has more than [`Note::LEN_MAX`] characters.
    #[error("the note has {0} characters, at most {max} are allowed", max = Note::LEN_MAX)]
    TooLong(usize),
    /// It holds a control character, such as a line feed, or one that turns the
    /// text around it.
    #[error("the note holds a control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_at_most_200_characters_whatever_their_bytes() {
        assert!(Note::new("\u{674e}".repeat(200)).is_ok());
        assert_eq!(Note::new("x".repeat(201)), Err(NoteError::TooLong(201)));
        assert!(Note::new("").unwrap().is_empty());
    }

    #[test]
    fn a_note_from_the_log_is_not_checked_again() {
        let note = Note("\u{202e}txt".into());
        let bytes = postcard::to_stdvec(&note).unwrap();
        assert_eq!(bytes, postcard::to_stdvec("\u{202e}txt").unwrap());
        assert_eq!(postcard::from_bytes(&bytes), Ok(note));
        assert!(serde_json::from_str::<Note>("\"\u{202e}txt\"").is_err());
    }

    #[test]
    fn a_note_is_one_line() {
        for text in ["a\nb", "\0", "\u{1b}[31m", "\u{85}", "\u{202e}txt", "a\u{2028}b"] {
            assert_eq!(Note::new(text), Err(NoteError::ControlCharacter), "{text:?}");
        }
    }
}
