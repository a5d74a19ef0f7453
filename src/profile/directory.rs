//! Profiles stored as files: `<root>/<user>/<kind>.ovpn`, or one for all kinds,
//! `<root>/<user>.ovpn`.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::document::Document;
use super::easy_rsa::{file_stems, finish};
use super::lint::{Subject, lint_document};
use super::render::render;
use super::{Fingerprint, Profile, ProfileError, ProfileSource, file, kind};
use crate::token::{ProfileKind, UnixSeconds, UserName};

const END: &str = ".ovpn";

/// A folder of finished profiles.
///
/// The file of one kind is served as it is stored, and must be of that kind.
/// The file for all kinds is rendered to the kind that is asked for.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Takes the folder `root`.
    ///
    /// # Errors
    ///
    /// [`ProfileError::NoFolder`] if it is none.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ProfileError> {
        let root = root.into();
        if !root.is_dir() {
            return Err(ProfileError::NoFolder { path: root });
        }
        Ok(Self { root })
    }

    fn of_kind(&self, user: &UserName, kind: ProfileKind) -> PathBuf {
        self.root.join(user.as_str()).join(format!("{kind}{END}"))
    }

    fn for_all_kinds(&self, user: &UserName) -> PathBuf {
        self.root.join(format!("{user}{END}"))
    }

    /// Renders the file for all kinds.
    fn transform(
        text: &str,
        user: &UserName,
        kind: ProfileKind,
        path: &Path,
    ) -> Result<Zeroizing<String>, ProfileError> {
        let document = Document::parse(text);
        let findings = lint_document(text, &document, Subject::Template);
        if findings.is_fatal() {
            return Err(ProfileError::Rejected {
                user: user.clone(),
                kind,
                path: path.to_owned(),
                findings: findings.fatal(),
            });
        }
        let host = document.first_remote();
        Ok(render(kind, user, host.as_deref(), &document, &[]))
    }
}

impl ProfileSource for Directory {
    fn users(&self) -> Result<Vec<UserName>, ProfileError> {
        let mut users = file_stems(&self.root, END)?;
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
        if is_there(&own) {
            let text = file::read_text(&own)?;
            let not_after = validate_certificate(&text, user, &own, now)?;
            return finish(text, user, kind, &own, not_after);
        }
        let shared = self.for_all_kinds(user);
        if !is_there(&shared) {
            return Err(ProfileError::NotFound { user: user.clone(), kind });
        }
        let text = file::read_text(&shared)?;
        // Whoever has a certificate that is no longer good gets no profile of
        // any kind, so it is judged before a kind leaves it out.
        let not_after = validate_certificate(&text, user, &shared, now)?;
        let text = Self::transform(&text, user, kind, &shared)?;
        let not_after = not_after.filter(|_| kind::has_certificate(kind));
        finish(text, user, kind, &shared, not_after)
    }

    fn fingerprint(&self, user: &UserName, kind: ProfileKind) -> Fingerprint {
        let paths = [self.of_kind(user, kind), self.for_all_kinds(user)];
        file::fingerprint(paths.iter().map(PathBuf::as_path))
    }
}

/// Whether something other than a folder is there: the folder of a user named
/// `x.ovpn` is no profile of the user `x`. What cannot be looked at is there,
/// so that reading it says why.
fn is_there(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(meta) => !meta.is_dir(),
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        ),
    }
}

/// Judges the certificate in a profile and returns the first moment at which
/// it is no longer valid; `None` for a profile without one.
fn validate_certificate(
    text: &str,
    user: &UserName,
    path: &Path,
    now: UnixSeconds,
) -> Result<Option<UnixSeconds>, ProfileError> {
    let Some(body) = Document::parse(text).block("cert") else { return Ok(None) };
    let certificate = Certificate::first_in(body, path)?;
    certificate.validate_time(user, now)?;
    Ok(Some(certificate.not_after()))
}
