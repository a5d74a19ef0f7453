//! The failure of a command: one `error:` line that says what is wrong, and one `hint:` line that
//! says what to do next.

use std::error::Error;
use std::fmt;

use crate::plain_text::{error_chain, one_line};
use crate::random::NoRandomness;

/// Why a command failed, in words for the user.
#[derive(Debug)]
pub struct Failure {
    error: String,
    hint: String,
}

impl Failure {
    /// Makes a failure from `error` with all its sources.
    pub fn new(error: &(dyn Error + 'static), hint: impl Into<String>) -> Self {
        Self::say(error_chain(error), hint)
    }

    /// Makes a failure from texts.
    pub fn say(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { error: one_line(&error.into()), hint: one_line(&hint.into()) }
    }

    /// Makes a failure from `error`, which should be impossible.
    pub(crate) fn bug(error: &(dyn Error + 'static)) -> Self {
        Self::new(error, "this is a bug in jeton; please report it")
    }

    /// Returns the error without the hint, for a log line.
    pub(crate) fn reason(&self) -> &str {
        &self.error
    }

    /// Returns the hint, for messages that are not failures.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<NoRandomness> for Failure {
    fn from(error: NoRandomness) -> Self {
        Self::new(&error, "nothing was created; try again when the machine has finished booting")
    }
}

/// Writes the two lines.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhint: {}", self.error, self.hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_two_lines_without_control_characters() {
        let failure = Failure::say("a\u{1b}[31m\nred\u{9b}2J\u{7f}", "\u{202e}turned\u{7}");
        assert_eq!(
            failure.to_string(),
            "error: a\u{fffd}[31m red\u{fffd}2J\u{fffd}\nhint: \u{fffd}turned\u{fffd}"
        );
    }

    #[test]
    fn keeps_printable_text_in_other_scripts() {
        let failure = Failure::say("j\u{fc}rgen's  file \u{7530}", "ask\u{a0}me");
        assert_eq!(failure.to_string(), "error: j\u{fc}rgen's file \u{7530}\nhint: ask me");
    }
}
