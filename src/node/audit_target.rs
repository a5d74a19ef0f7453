//! Whether `log.audit` names a file that an audit log may be written to: a line
//! in a key, a certificate or a device helps nobody. `serve` and `config check`
//! share it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::activity::{self, AuditError};
use crate::config::Config;
use crate::failure::Failure;

/// What every line of an audit log begins with.
const LINE_BEGIN: u8 = b'{';

/// Looks whether the audit log of `config` could be written, and changes nothing.
///
/// # Errors
///
/// [`Failure`] if it could not, or if something else would be spoilt by it.
pub(crate) fn look(config: &Config) -> Result<(), Failure> {
    let Some(path) = config.log.audit.as_deref() else { return Ok(()) };
    if let Some(key) = taken(config, path) {
        return Err(Failure::say(
            format!("{} belongs to `{key}`", path.display()),
            "name a file that nothing else uses",
        ));
    }
    look_at_file(path)?;
    activity::check_audit_log(path).map_err(|error| Failure::new(&error, hint(path, &error)))
}

/// Returns the setting that names the file at `path`, or the folder it lies in.
fn taken(config: &Config, path: &Path) -> Option<&'static str> {
    let files = [
        ("public.tls_cert", config.public.tls_cert.as_deref()),
        ("public.tls_key", config.public.tls_key.as_deref()),
        ("admin.signing_key", config.admin.signing_key.as_deref()),
    ];
    let folders = [
        ("keys.trusted", Some(config.keys.trusted.as_path())),
        ("keys.signing", config.keys.signing.as_deref()),
        ("ledger.dir", Some(config.ledger.dir.as_path())),
    ];
    let of_files = files.into_iter().find(|(_, file)| file.is_some_and(|file| is_same(file, path)));
    let of_folders =
        || folders.into_iter().find(|(_, folder)| folder.is_some_and(|folder| has(folder, path)));
    if is_same(&config.file, path) {
        return Some("--config");
    }
    of_files.or_else(of_folders).map(|(key, _)| key)
}

/// Tells whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    if one == other {
        return true;
    }
    let identity = |path| fs::metadata(path).map(|data| (data.dev(), data.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Tells whether `path` is in `folder`, or would be.
fn has(folder: &Path, path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new(".")).canonicalize();
    let within = |path: io::Result<std::path::PathBuf>| matches!((folder.canonicalize(), path), (Ok(folder), Ok(path)) if path.starts_with(&folder));
    within(parent) || within(path.canonicalize())
}

/// Refuses what is there and is no audit log.
fn look_at_file(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    // What cannot be looked at is told by who tries to write it.
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if metadata.is_dir() {
        let hint = format!("name a file in it, such as {}", path.join("audit.jsonl").display());
        return Err(Failure::say(format!("{shown} is a folder"), hint));
    }
    if !metadata.is_file() {
        return Err(Failure::say(
            format!("{shown} is a device or a pipe, and no file"),
            "name a file, such as /var/log/jeton/audit.jsonl",
        ));
    }
    let mut first = [0];
    let read = File::open(path).and_then(|mut file| file.read(&mut first));
    if matches!(read, Ok(1)) && first != [LINE_BEGIN] {
        return Err(Failure::say(
            format!("{shown} has something else in it, and is no audit log"),
            "name a new file, or move this one away",
        ));
    }
    Ok(())
}

fn hint(path: &Path, error: &AuditError) -> String {
    match error {
        AuditError::Exposed { .. } => {
            format!("it has names and addresses in it: chmod go= {}", path.display())
        }
        AuditError::Io { path: folder, source } if source.kind() == io::ErrorKind::NotFound => {
            format!(
                "make the folder {}, for the user that runs the node, or set another `log.audit`",
                folder.display()
            )
        }
        AuditError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            "let the user that runs the node write there, or set another `log.audit`".to_owned()
        }
        AuditError::Io { .. } | AuditError::Thread(_) => {
            "set another `log.audit`, or none".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn said(path: &Path) -> String {
        let looked = look_at_file(path).and_then(|()| {
            activity::check_audit_log(path)
                .map_err(|error| Failure::new(&error, hint(path, &error)))
        });
        looked.map_or_else(|refused| refused.to_string(), |()| "fine".to_owned())
    }

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn what_is_no_audit_log_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        assert_eq!(said(&path), "fine");
        for (text, fine) in [("", true), ("{\"at\":1}\n", true), ("-----BEGIN", false)] {
            write(&path, text);
            assert_eq!(said(&path) == "fine", fine, "{text}");
        }
        for (path, words) in [
            (path.as_path(), ["is no audit log", "name a new file"]),
            (folder.path(), ["is a folder", "audit.jsonl"]),
            (Path::new("/dev/null"), ["is a device", "name a file"]),
            (&folder.path().join("no/audit.jsonl"), ["cannot write", "make the folder"]),
        ] {
            let said = said(path);
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        }
    }

    #[test]
    fn a_link_to_another_s_file_is_that_file_and_folders_keep_what_is_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let (key, link) = (folder.path().join("key.pem"), folder.path().join("link"));
        write(&key, "");
        std::os::unix::fs::symlink(&key, &link).unwrap();
        assert!(is_same(&key, &link));
        assert!(!is_same(&key, &folder.path().join("none")));
        let keys = folder.path().join("keys");
        fs::create_dir(&keys).unwrap();
        assert!(has(&keys, &keys.join("audit.jsonl")));
        assert!(!has(&keys, &folder.path().join("audit.jsonl")));
        assert!(!has(&folder.path().join("none"), &folder.path().join("none/audit.jsonl")));
    }
}
