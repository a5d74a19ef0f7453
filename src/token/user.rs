//! The user whose profile a token gives.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::plain_text::steers;

/// A user name, which is always one line and one path component.
///
/// It has 1 ..= 128 bytes of UTF-8, no control characters, no `/` and no `\`, and is neither `.`
/// nor `..`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String")]
pub struct UserName(String);

impl UserName {
    /// The maximum length of a name, in bytes.
    pub const LEN_MAX: usize = 128;

    /// Makes a user name from `name`.
    ///
    /// # Errors
    ///
    /// Returns the first rule that `name` breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, UserNameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(UserNameError::Empty);
        }
        if name.len() > Self::LEN_MAX {
            return Err(UserNameError::TooLong(name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err(UserNameError::ControlCharacter);
        }
        if name.contains(['/', '\\']) || name == "." || name == ".." {
            return Err(UserNameError::PathLike);
        }
        Ok(Self(name))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for UserName {
    type Err = UserNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<String> for UserName {
    type Error = UserNameError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

/// A user name for a new token or a new permission. It has no characters of
/// [`STEERING`](crate::plain_text::STEERING), which change how the text around them is displayed.
///
/// Names in tokens and in the log may have such characters, so they can be found and revoked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewUserName(UserName);

impl NewUserName {
    /// Makes a new user name from `name`.
    ///
    /// # Errors
    ///
    /// Returns the first rule that `name` breaks.
    pub fn new(name: impl Into<String>) -> Result<Self, UserNameError> {
        UserName::new(name)?.try_into()
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &UserName {
        &self.0
    }
}

impl fmt::Display for NewUserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NewUserName {
    type Err = UserNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<UserName> for NewUserName {
    type Error = UserNameError;

    fn try_from(name: UserName) -> Result<Self, Self::Error> {
        match name.0.chars().find(|c| steers(*c)) {
            Some(c) => Err(UserNameError::SteeringCharacter(c)),
            None => Ok(Self(name)),
        }
    }
}

impl From<NewUserName> for UserName {
    fn from(name: NewUserName) -> Self {
        name.0
    }
}

/// Why a text is not a user name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum UserNameError {
    /// It has no characters.
    #[error("the user name is empty")]
    Empty,
    /// It has more than [`UserName::LEN_MAX`] bytes.
    #[error("the user name has {0} bytes; at most {max} are allowed", max = UserName::LEN_MAX)]
    TooLong(usize),
    /// It contains a control character, such as a line feed.
    #[error("the user name contains a control character")]
    ControlCharacter,
    /// It is a new name and contains a character that changes how text is displayed.
    #[error("the user name holds U+{:04X}, which changes how text is displayed", u32::from(*.0))]
    SteeringCharacter(char),
    /// It could be read as a path.
    #[error("the user name is `.` or `..`, or contains a slash or a backslash")]
    PathLike,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_could_leave_their_directory() {
        for name in [".", "..", "a/b", "a\\b", "/", "../x"] {
            assert_eq!(UserName::new(name), Err(UserNameError::PathLike), "{name}");
        }
    }

    #[test]
    fn the_longest_name_has_128_bytes() {
        assert!(UserName::new("x".repeat(128)).is_ok());
        assert_eq!(UserName::new("x".repeat(129)), Err(UserNameError::TooLong(129)));
        assert_eq!(UserName::new(""), Err(UserNameError::Empty));
    }

    #[test]
    fn refuses_control_characters() {
        for name in ["a\nb", "\0", "a\u{7f}", "\u{85}"] {
            assert_eq!(UserName::new(name), Err(UserNameError::ControlCharacter));
        }
    }

    #[test]
    fn only_a_new_name_is_checked_for_steering_characters() {
        for (name, c) in [("a\u{202e}b", '\u{202e}'), ("\u{200f}", '\u{200f}')] {
            assert!(UserName::new(name).is_ok(), "{name:?}");
            assert_eq!(NewUserName::new(name), Err(UserNameError::SteeringCharacter(c)));
        }
        assert_eq!(NewUserName::new("a/b"), Err(UserNameError::PathLike));
        assert_eq!(NewUserName::new("alice").unwrap().name().as_str(), "alice");
        assert_eq!(
            NewUserName::new("\u{61c}").unwrap_err().to_string(),
            "the user name holds U+061C, which changes how text is displayed"
        );
    }

    #[test]
    fn accepts_mail_addresses_and_other_scripts() {
        for name in ["alice@example.com", "...", "J\u{fc}rgen", "\u{674e}\u{96f7}"] {
            assert!(UserName::new(name).is_ok(), "{name}");
        }
    }
}
