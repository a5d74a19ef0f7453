//! Text from outside, made safe to show: in one line, without characters that steer a terminal or
//! change the direction of the text around them.

#[cfg(feature = "server")]
use std::error::Error;
use std::ops::RangeInclusive;

/// The characters that steer what shows them: control characters, line and paragraph separators,
/// and directional formatting characters (Unicode UAX #9, section 2).
///
/// Names and notes are checked for these when they are made, and messages when they are printed.
/// What is read back from the log or from a token is not checked again.
pub const STEERING: [RangeInclusive<char>; 6] = [
    '\0'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{61c}'..='\u{61c}',
    '\u{200e}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2066}'..='\u{2069}',
];

/// Returns `true` if `c` is one of [`STEERING`].
#[must_use]
pub fn steers(c: char) -> bool {
    STEERING.iter().any(|range| range.contains(&c))
}

/// Returns `text` with each character that [`steers`] replaced.
#[cfg(feature = "server")]
pub(crate) fn without_steering(text: &str) -> String {
    text.replace(steers, "\u{fffd}")
}

/// Returns `text` in one line. Characters that [`steers`] matches are replaced.
#[cfg(feature = "server")]
pub(crate) fn one_line(text: &str) -> String {
    without_steering(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Returns the messages of `error` and its sources in one line. Skips a message that the text
/// before it already ends with.
#[cfg(feature = "server")]
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    one_line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steering_characters_are_controls_separators_and_directional_marks() {
        for c in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
            assert!(steers(c), "{c:?}");
        }
        for c in "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            assert!(steers(c), "{c:?}");
        }
        for c in "a \u{a0}\u{e9}\u{200d}\u{2027}\u{202f}\u{2065}\u{206a}\u{7530}".chars() {
            assert!(!steers(c), "{c:?}");
        }
    }
}
