//! How a command fails: one `error:` line that names what is wrong, one
//! `hint:` line that says what to do next.

use std::error::Error;
use std::fmt;

use crate::plain_text::{error_chain, one_line};
use crate::random::NoRandomness;

/// Why a command failed, for the person who typed it.
#[derive(Debug)]
pub struct Failure {
    error: String,
    hint: String,
}

impl Failure {
    /// Makes a failure of an error, with all its sources, and of the next step.
    pub fn new(error: &(dyn Error + 'static), hint: impl Into<String>) -> Self {
        Self::say(error_chain(error), hint)
    }

    /// Makes a failure of words.
    pub fn say(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { error: one_line(&error.into()), hint: one_line(&hint.into()) }
    }

    /// Returns what is wrong, without the hint, for a line of the log.
    pub(crate) fn reason(&self) -> &str {
        &self.error
    }

    /// Returns what to do next, for where it is no failure.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<NoRandomness> for Failure {
    fn from(error: NoRandomness) -> Self {
        Self::new(&error, "nothing was made; try again once the machine has started up")
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
    fn a_failure_is_two_lines_and_no_command_to_a_terminal() {
        let failure = Failure::say("a\u{1b}[31m\nred\u{9b}2J\u{7f}", "\u{202e}turned\u{7}");
        assert_eq!(
            failure.to_string(),
            "error: a\u{fffd}[31m red\u{fffd}2J\u{fffd}\nhint: \u{fffd}turned\u{fffd}"
        );
    }

    #[test]
    fn what_people_write_is_shown_as_it_is() {
        let failure = Failure::say("j\u{fc}rgen's  file \u{7530}", "ask\u{a0}him");
        assert_eq!(failure.to_string(), "error: j\u{fc}rgen's file \u{7530}\nhint: ask him");
    }
}
