//! Checks that `log.audit` can be used as an audit log, and that it is not a key, a certificate, a
//! device or another file in use.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::activity::{self, AuditError};
use crate::config::Config;
use crate::failure::Failure;

/// The first byte of every line of an audit log.
const LINE_BEGIN: u8 = b'{';

/// Checks that the audit log of `config` can be written, without changing anything.
///
/// # Errors
///
/// [`Failure`] if it cannot be written, or if it would damage another file.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let Some(path) = config.log.audit.as_deref() else { return Ok(()) };
    if let Some(key) = used_by(config, path) {
        return Err(Failure::say(
            format!("{} is already used by `{key}`", path.display()),
            "name a file that nothing else uses",
        ));
    }
    check_file(path)?;
    activity::check_audit_log(path).map_err(|error| explain(path, &error))
}

/// Returns the setting that names the file at `path`, or a directory above it.
fn used_by(config: &Config, path: &Path) -> Option<&'static str> {
    let files = [
        ("public.tls_cert", config.public.tls_cert.as_deref()),
        ("public.tls_key", config.public.tls_key.as_deref()),
        ("admin.signing_key", config.admin.signing_key.as_deref()),
    ];
    let dirs = [
        ("keys.trusted", Some(config.keys.trusted.as_path())),
        ("keys.signing", config.keys.signing.as_deref()),
        ("ledger.dir", Some(config.ledger.dir.as_path())),
    ];
    let of_files = files.into_iter().find(|(_, file)| file.is_some_and(|file| is_same(file, path)));
    let of_dirs = || dirs.into_iter().find(|(_, dir)| dir.is_some_and(|dir| has(dir, path)));
    if is_same(&config.file, path) {
        return Some("--config");
    }
    of_files.or_else(of_dirs).map(|(key, _)| key)
}

/// Returns `true` if two paths lead to the same file.
fn is_same(one: &Path, other: &Path) -> bool {
    if one == other {
        return true;
    }
    let identity = |path| fs::metadata(path).map(|data| (data.dev(), data.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Returns `true` if `path` is below `dir`, or would be if it existed.
fn has(dir: &Path, path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new(".")).canonicalize();
    let within = |path: io::Result<std::path::PathBuf>| matches!((dir.canonicalize(), path), (Ok(dir), Ok(path)) if path.starts_with(&dir));
    within(parent) || within(path.canonicalize())
}

/// Rejects an existing file that is not an audit log.
fn check_file(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    // `check_audit_log` reports errors of access.
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if metadata.is_dir() {
        let hint = format!("name a file in it, such as {}", path.join("audit.jsonl").display());
        return Err(Failure::say(format!("{shown} is a directory"), hint));
    }
    if !metadata.is_file() {
        return Err(Failure::say(
            format!("{shown} is not a regular file"),
            "name a file, such as /var/log/jeton/audit.jsonl",
        ));
    }
    let mut first = [0];
    let read = File::open(path).and_then(|mut file| file.read(&mut first));
    if matches!(read, Ok(1)) && first != [LINE_BEGIN] {
        return Err(Failure::say(
            format!("{shown} is not an audit log: its first line does not begin with {{"),
            "name a new file, or move this one away",
        ));
    }
    Ok(())
}

/// Adds a hint to an error of the audit log at `path`.
pub(super) fn explain(path: &Path, error: &AuditError) -> Failure {
    let hint = match error {
        AuditError::Exposed { .. } => {
            format!("it contains user names and IP addresses: chmod go= {}", path.display())
        }
        AuditError::Io { path: dir, source } if source.kind() == io::ErrorKind::NotFound => {
            format!(
                "create the directory {} for the user that runs the node, or change `log.audit`",
                dir.display()
            )
        }
        AuditError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            "let the user that runs the node write there, or change `log.audit`".to_owned()
        }
        AuditError::Io { .. } | AuditError::Thread(_) => "change or remove `log.audit`".to_owned(),
    };
    Failure::new(error, hint)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn message(path: &Path) -> String {
        let checked = check_file(path)
            .and_then(|()| activity::check_audit_log(path).map_err(|error| explain(path, &error)));
        checked.map_or_else(|failure| failure.to_string(), |()| "fine".to_owned())
    }

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn rejects_what_is_not_an_audit_log_with_a_hint() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("audit.jsonl");
        assert_eq!(message(&path), "fine");
        for (text, fine) in [("", true), ("{\"at\":1}\n", true), ("-----BEGIN", false)] {
            write(&path, text);
            assert_eq!(message(&path) == "fine", fine, "{text}");
        }
        for (path, words) in [
            (path.as_path(), ["is not an audit log", "name a new file"]),
            (temp.path(), ["is a directory", "audit.jsonl"]),
            (Path::new("/dev/null"), ["is not a regular file", "name a file"]),
            (&temp.path().join("no/audit.jsonl"), ["cannot write", "create the directory"]),
        ] {
            let message = message(path);
            assert!(words.iter().all(|word| message.contains(word)), "{message}");
        }
    }

    #[test]
    fn recognizes_symlinks_to_used_files_and_files_in_used_directories() {
        let temp = tempfile::tempdir().unwrap();
        let (key, link) = (temp.path().join("key.pem"), temp.path().join("link"));
        write(&key, "");
        std::os::unix::fs::symlink(&key, &link).unwrap();
        assert!(is_same(&key, &link));
        assert!(!is_same(&key, &temp.path().join("none")));
        let keys = temp.path().join("keys");
        fs::create_dir(&keys).unwrap();
        assert!(has(&keys, &keys.join("audit.jsonl")));
        assert!(!has(&keys, &temp.path().join("audit.jsonl")));
        assert!(!has(&temp.path().join("none"), &temp.path().join("none/audit.jsonl")));
    }
}
