//! The minter of a node that has a signing key.

use std::path::Path;

use crate::config::Config;
use crate::failure::Failure;
use crate::keyring::Keyring;
use crate::mint::Minter;
use crate::signing::passphrase::{Passphrase, PassphraseArgs};
use crate::signing::signing_key;
use crate::token::url::PublicUrl;
use crate::token::{KeyPurpose, SigningKey, TrustedKeys as _};

/// Opens `admin.signing_key`, if it is set, with the passphrase in JETON_PASSPHRASE if it is
/// encrypted. Rejects a key whose tokens `trusted` would reject.
pub(crate) fn open(
    config: &Config,
    trusted: &Keyring,
    public_url: &PublicUrl,
) -> Result<Option<Minter>, Failure> {
    let Some(path) = &config.admin.signing_key else {
        return Ok(None);
    };
    let key = read(path, trusted, &PassphraseArgs::default().read()?)?;
    Ok(Some(Minter::new(key, public_url.clone())))
}

fn read(path: &Path, trusted: &Keyring, passphrase: &Passphrase) -> Result<SigningKey, Failure> {
    let key = signing_key::load_file(path, KeyPurpose::Profile, passphrase)?;
    let id = key.verifying_key().id();
    let is_trusted = trusted.find(id).is_some_and(|known| {
        known.purpose == KeyPurpose::Profile && known.key == *key.verifying_key()
    });
    if is_trusted {
        return Ok(key);
    }
    Err(Failure::say(
        format!(
            "this node would mint with {}, but does not trust its key {id} for profiles",
            path.display()
        ),
        "copy the public key into the directory `profile` of `keys.trusted`, or change \
         `admin.signing_key`",
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::keyring::{KeyPair, write_new};

    fn pair(root: &Path, purpose: KeyPurpose, seed: u8) -> KeyPair {
        let key = SigningKey::from_seed(&[seed; 32]);
        write_new(&root.join("trusted"), &root.join("signing"), purpose, &key, None).unwrap()
    }

    fn failure(path: &Path, root: &Path) -> String {
        let trusted = Keyring::load(&root.join("trusted")).unwrap();
        read(path, &trusted, &Passphrase::none()).unwrap_err().to_string()
    }

    #[test]
    fn accepts_a_trusted_profile_key() {
        let root = tempfile::tempdir().unwrap();
        let pair = pair(root.path(), KeyPurpose::Profile, 1);
        let trusted = Keyring::load(&root.path().join("trusted")).unwrap();
        assert!(read(&pair.private, &trusted, &Passphrase::none()).is_ok());
        assert!(failure(Path::new("/nowhere.pem"), root.path()).contains("cannot read"));
        fs::set_permissions(&pair.private, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(failure(&pair.private, root.path()).contains("chmod 600"));
    }

    #[test]
    fn rejects_a_key_for_another_purpose_or_without_trust() {
        let root = tempfile::tempdir().unwrap();
        let admin = pair(root.path(), KeyPurpose::Admin, 1);
        assert!(failure(&admin.private, root.path()).contains("is a key for admin tokens"));
        // The name of the file does not matter.
        let renamed = root.path().join("signing/mine.pem");
        fs::rename(&admin.private, &renamed).unwrap();
        assert!(failure(&renamed, root.path()).contains("does not trust its key"));
        let untrusted = pair(root.path(), KeyPurpose::Profile, 2);
        fs::remove_file(&untrusted.public).unwrap();
        assert!(failure(&untrusted.private, root.path()).contains("does not trust its key"));
    }
}
