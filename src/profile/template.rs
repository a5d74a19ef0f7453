//! The client template: the text that all profiles of a PKI have in common.

use std::path::Path;

use zeroize::Zeroizing;

use super::document::OvpnDocument;
use super::lint::{Subject, lint_document};
use super::{ProfileError, file};

/// A template as installers write it (`client-template.txt` or `client-common.txt`), without fatal
/// findings.
pub(super) struct Template {
    text: Zeroizing<String>,
}

impl Template {
    /// Reads and lints the template at `path`.
    ///
    /// # Errors
    ///
    /// The errors of [`file::read_text`], and [`ProfileError::Template`] if clients would reject
    /// every profile rendered from it.
    pub(super) fn load(path: &Path) -> Result<Self, ProfileError> {
        let text = file::read_text(path)?;
        lint_document(&text, &OvpnDocument::parse(&text), Subject::Template)
            .deny_fatal()
            .map_err(|findings| ProfileError::Template { path: path.to_owned(), findings })?;
        Ok(Self { text })
    }

    /// Parses it.
    pub(super) fn document(&self) -> OvpnDocument<'_> {
        OvpnDocument::parse(&self.text)
    }
}
