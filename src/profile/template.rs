//! The client template: the text that all profiles of a PKI share.

use std::path::Path;

use zeroize::Zeroizing;

use super::document::Document;
use super::lint::{Subject, lint_document};
use super::{ProfileError, file};

/// A template as installers write it, `client-template.txt` or
/// `client-common.txt`: comments, directives, and perhaps some blocks. Its
/// text is free of fatal findings.
pub(super) struct Template {
    text: Zeroizing<String>,
}

impl Template {
    /// Reads and lints the template at `path`.
    ///
    /// # Errors
    ///
    /// Those of [`file::read_text`], and [`ProfileError::Template`] if clients
    /// would reject every profile made from it.
    pub(super) fn load(path: &Path) -> Result<Self, ProfileError> {
        let text = file::read_text(path)?;
        let findings = lint_document(&text, &Document::parse(&text), Subject::Template);
        if findings.is_fatal() {
            let findings = findings.fatal();
            return Err(ProfileError::Template { path: path.to_owned(), findings });
        }
        Ok(Self { text })
    }

    /// Returns its parts.
    pub(super) fn document(&self) -> Document<'_> {
        Document::parse(&self.text)
    }
}
