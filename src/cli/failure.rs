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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
