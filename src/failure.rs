//! How a command fails: one `error:` line that names what is wrong, one
//! `hint:` line that says what to do next.

use std::error::Error;
use std::fmt;

use crate::random::NoRandomness;

/// Why a command failed, for the person who typed it.
#[derive(Debug)]
pub struct Failure {
    error: String,
    hint: String,
}

impl Failure {
    /// Makes a failure of an error, with all its sources, and of the next step.
    pub fn new(error: &dyn Error, hint: impl Into<String>) -> Self {
        Self::say(with_sources(error), hint)
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

/// Returns what `error` says and what its sources say, in one line.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    one_line(&text)
}

/// Returns `text` in one line, and as nothing but text: what came from a file or
/// a node may hold characters that command a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let shown = |char: char| if commands(char) { char::REPLACEMENT_CHARACTER } else { char };
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().map(shown).collect()
}

/// Tells whether a character moves the cursor, changes colours or turns the order
/// of others around.
fn commands(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
