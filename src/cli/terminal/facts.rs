//! A block of labeled lines, one per fact.

use std::fmt::Write as _;

use anstyle::Style;

use crate::plain_text::without_steering;

/// Labels and values; the values are aligned.
#[derive(Default)]
pub(crate) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    pub(crate) fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.0.push((label, value.into()));
    }

    /// Returns the block with dimmed labels. Characters that steer a terminal are replaced: an
    /// inspected token may have such a user name.
    pub(crate) fn to_text(&self) -> String {
        let width = self.0.iter().map(|(label, _value)| label.len()).max().unwrap_or_default();
        let dim = Style::new().dimmed();
        let mut text = String::new();
        for (label, value) in &self.0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{dim}{label:width$}{dim:#}  {}", without_steering(value));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_aligned_and_steer_nothing() {
        let mut facts = Facts::default();
        facts.add("id", "\u{202e}x");
        facts.add("expires", "never");
        let plain = anstream::adapter::strip_str(&facts.to_text()).to_string();
        assert_eq!(plain, "id       \u{fffd}x\nexpires  never\n");
    }
}
