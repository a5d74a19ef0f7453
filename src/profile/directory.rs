//! Profiles stored as files: `<root>/<user>/<kind>.ovpn` for one kind, or `<root>/<user>.ovpn` for
//! all kinds.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::document::OvpnDocument;
use super::file::file_stems;
use super::lint::{Subject, lint_document, linted_profile};
use super::render::render;
use super::{Fingerprint, Profile, ProfileError, ProfileSource, file, kind};
use crate::token::{ProfileKind, UnixSeconds, UserName};

const SUFFIX: &str = ".ovpn";

/// A directory of finished profiles.
///
/// The file of one kind is served verbatim, and must be of that kind. The file for all kinds is
/// rendered as the requested kind.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens the directory `root`.
    ///
    /// # Errors
    ///
    /// [`ProfileError::NotADirectory`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ProfileError> {
        let root = root.into();
        if !root.is_dir() {
            return Err(ProfileError::NotADirectory { path: root });
        }
        Ok(Self { root })
    }

    fn of_kind(&self, user: &UserName, kind: ProfileKind) -> PathBuf {
        self.root.join(user.as_str()).join(format!("{kind}{SUFFIX}"))
    }

    fn for_all_kinds(&self, user: &UserName) -> PathBuf {
        self.root.join(format!("{user}{SUFFIX}"))
    }

    /// Renders the file for all kinds as `kind`.
    fn transform(
        text: &str,
        user: &UserName,
        kind: ProfileKind,
        path: &Path,
    ) -> Result<Zeroizing<String>, ProfileError> {
        let document = OvpnDocument::parse(text);
        lint_document(text, &document, Subject::Template)
            .deny_fatal()
            .map_err(|findings| ProfileError::rejected(user, kind, path, findings))?;
        let host = document.first_remote();
        Ok(render(kind, user, host.as_deref(), &document, &[]))
    }
}

impl ProfileSource for Directory {
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        let mut users = file_stems(&self.root, SUFFIX)?;
        users.retain(|user| self.for_all_kinds(user).is_file());
        for user in file_stems(&self.root, "")? {
            if ProfileKind::ALL.iter().any(|kind| self.of_kind(&user, *kind).is_file()) {
                users.push(user);
            }
        }
        users.sort();
        users.dedup();
        Ok(users)
    }

    fn load(
        &self,
        user: &UserName,
        kind: ProfileKind,
        now: UnixSeconds,
    ) -> Result<Profile, ProfileError> {
        let own = self.of_kind(user, kind);
        if exists(&own) {
            let text = file::read_text(&own)?;
            let not_after = validate_certificate(&text, user, &own, now)?;
            return linted_profile(text, user, kind, &own, not_after);
        }
        let shared = self.for_all_kinds(user);
        if !exists(&shared) {
            return Err(ProfileError::NotFound { user: user.clone(), kind });
        }
        let text = file::read_text(&shared)?;
        // A user whose certificate is not valid gets no profile of any kind, so it is validated
        // even for a kind that leaves it out.
        let not_after = validate_certificate(&text, user, &shared, now)?;
        let text = Self::transform(&text, user, kind, &shared)?;
        let not_after = not_after.filter(|_| kind::has_certificate(kind));
        linted_profile(text, user, kind, &shared, not_after)
    }

    fn fingerprint(&self, user: &UserName, kind: ProfileKind) -> Fingerprint {
        let paths = [self.of_kind(user, kind), self.for_all_kinds(user)];
        file::fingerprint(paths.iter().map(PathBuf::as_path))
    }
}

/// Returns `true` if something other than a directory is at `path`: the directory of a user named
/// `x.ovpn` is not a profile of the user `x`. Also returns `true` if the metadata cannot be read,
/// so that reading the file reports why.
fn exists(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(meta) => !meta.is_dir(),
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
    }
}

/// Validates the certificate in a profile and returns the first moment at which it is no longer
/// valid; `None` for a profile without a certificate.
fn validate_certificate(
    text: &str,
    user: &UserName,
    path: &Path,
    now: UnixSeconds,
) -> Result<Option<UnixSeconds>, ProfileError> {
    let Some(body) = OvpnDocument::parse(text).block("cert") else { return Ok(None) };
    let certificate = Certificate::first_in(body, path)?;
    certificate.validate_time(user, now)?;
    Ok(Some(certificate.not_after()))
}
