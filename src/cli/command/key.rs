//! `jeton key`: the life of the keys that sign, on the machine that mints.

use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::cli::configured;
use crate::cli::global::Global;
use crate::cli::terminal::format::ListFormat;
use crate::cli::terminal::output;
use crate::cli::terminal::table::Table;
use crate::config::Keys;
use crate::failure::Failure;
use crate::keyring::{self, Encryption, KeyringError};
use crate::random;
use crate::signing::key_files::{self, KeyFile, Place};
use crate::signing::passphrase::PassphraseArgs;
use crate::signing::signing_key;
use crate::token::{KeyId, KeyPurpose, SigningKey};

const EXAMPLES: &str = "\
Examples:
  jeton key list
  jeton key new                              a new key signs from now on, as the newest
  jeton key new --encrypt --passphrase-file passphrase.txt
  jeton key retire 3f2a9c01

To rotate: make a new key, copy its public half to every node and reload them, and
only then retire the old key. Links that it signed stay good until they expire.";

const LIST_EXAMPLES: &str = "\
Examples:
  jeton key list
  jeton key list --format json | jq -r '.[] | select(.place == \"signing\") | .id'

A key that is trusted and does not sign here is another machine's, or a retired one
whose links are still good.";

const NEW_EXAMPLES: &str = "\
Examples:
  jeton key new                              signs links from now on, as the newest
  jeton key new --purpose admin              signs in operators: `jeton admin-link`
  jeton key new --encrypt --passphrase-file passphrase.txt

Copy the public half to every node and reload them before the first link goes out.";

const RETIRE_EXAMPLES: &str = "\
Examples:
  jeton key retire 3f2a9c01                  it signs no more, its links stay good
  jeton revoke --key 3f2a9c01                and they are refused, as after a theft";

/// List, make and retire the keys that sign
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// List the keys that sign and the keys that are trusted
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// How to write the result
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
    /// Make a key pair and print its id
    #[command(after_help = NEW_EXAMPLES)]
    New {
        /// What the key signs: links to profiles, or logins of operators
        #[arg(long, value_enum, default_value_t = PurposeName::Profile)]
        purpose: PurposeName,

        /// Encrypt the private key with a passphrase; --passphrase-file implies it
        #[arg(long)]
        encrypt: bool,
    },
    /// Let a key sign no more; what it signed stays good until it expires
    #[command(after_help = RETIRE_EXAMPLES)]
    Retire {
        /// The key, as `jeton key list` shows it
        #[arg(value_name = "KEYID")]
        id: KeyId,

        /// Do it even if no other key for its purpose is left
        #[arg(long)]
        last: bool,
    },
}

/// The purposes, as they are typed.
#[derive(Clone, Copy, ValueEnum)]
enum PurposeName {
    Profile,
    Admin,
}

impl From<PurposeName> for KeyPurpose {
    fn from(name: PurposeName) -> Self {
        match name {
            PurposeName::Profile => Self::Profile,
            PurposeName::Admin => Self::Admin,
        }
    }
}

/// Lists, makes or retires.
pub(crate) fn run(args: KeyArgs, global: &Global) -> Result<(), Failure> {
    let KeyArgs { command, passphrase } = args;
    let keys = global.load()?.keys;
    match command {
        KeyCommand::List { format } => list(&keys, format),
        KeyCommand::New { purpose, encrypt } => {
            let encrypt = encrypt || passphrase.names_a_file();
            new(&keys, purpose.into(), encrypt.then_some(&passphrase))
        }
        KeyCommand::Retire { id, last } => retire(&keys, id, last, &passphrase),
    }
}

fn list(keys: &Keys, format: ListFormat) -> Result<(), Failure> {
    let files = key_files::list(&keys.trusted, keys.signing.as_deref())
        .map_err(|error| signing_key::explain(&error))?;
    output::show(&match format {
        ListFormat::Text => for_people(&files).to_text(),
        ListFormat::Json => for_programs(&files).to_json()?,
        ListFormat::Csv => for_programs(&files).to_csv()?,
    })?;
    for id in untrusted(&files) {
        output::remark(&format!(
            "Key {id} signs, but is not trusted here: nodes without its public half refuse its \
             links."
        ));
    }
    Ok(())
}

fn new(keys: &Keys, purpose: KeyPurpose, lock: Option<&PassphraseArgs>) -> Result<(), Failure> {
    let signing = configured::signing_folder(keys)?;
    let passphrase = lock.map(PassphraseArgs::read).transpose()?;
    let passphrase = match &passphrase {
        Some(passphrase) => Some(passphrase.as_str().ok_or_else(no_passphrase)?),
        None => None,
    };
    let (salt, iv) = (random::bytes()?, random::bytes()?);
    let encryption = passphrase.map(|passphrase| Encryption { passphrase, salt, iv });

    let key = SigningKey::from_seed(&zeroize::Zeroizing::new(random::bytes()?));
    let pair = keyring::write_new(&keys.trusted, signing, purpose, &key, encryption.as_ref())
        .map_err(|error| signing_key::explain(&error))?;

    output::show(&format!("{}\n", key.verifying_key().id()))?;
    output::remark(&format!(
        "private key  {}  (keep it here)\npublic key   {}  (copy it to every node)\n\
         Reload the nodes to have it trusted: systemctl reload jeton, or kill -HUP.",
        pair.private.display(),
        pair.public.display()
    ));
    Ok(())
}

fn retire(keys: &Keys, id: KeyId, last: bool, lock: &PassphraseArgs) -> Result<(), Failure> {
    let signing = configured::signing_folder(keys)?;
    let files = key_files::signing(signing).map_err(|error| signing_key::explain(&error))?;
    if let Some(purpose) = left_without_key(&files, id)
        && !last
    {
        return Err(Failure::say(
            format!("{id} is the last key that signs {purpose} tokens"),
            format!(
                "make another one first: `jeton key new --purpose {purpose}`; or say --last, if \
                 nothing shall sign here any more"
            ),
        ));
    }
    if files.iter().all(|file| file.id.is_some_and(|other| other != id)) {
        let unknown = KeyringError::NoPrivateKey { path: signing.into(), id };
        return Err(signing_key::explain(&unknown));
    }
    let passphrase = lock.read()?;
    let retired = keyring::retire(signing, id, passphrase.as_str())
        .map_err(|error| signing_key::explain(&error))?;

    output::show(&format!("retired {id}: {}\n", retired.display()))?;
    output::remark(&format!(
        "It signs no more. What it signed stays good until it expires, for at most 366 days; keep \
         its public half trusted until then.\n\
         To refuse all that it signed at once: jeton revoke --key {id}\n\
         A node that mints with it goes on until it is reloaded: systemctl reload jeton, or kill \
         -HUP."
    ));
    Ok(())
}

/// Returns the purpose that has no signing key left without the key `id`.
fn left_without_key(files: &[KeyFile], id: KeyId) -> Option<KeyPurpose> {
    let purpose = files.iter().find(|file| file.id == Some(id))?.purpose;
    let mut others = files.iter().filter(|file| file.id != Some(id));
    (!others.any(|file| file.purpose == purpose)).then_some(purpose)
}

/// Returns the keys that sign and that nobody trusts here.
fn untrusted(files: &[KeyFile]) -> impl Iterator<Item = KeyId> {
    let at = |place| files.iter().filter(move |file| file.place == place);
    let trusted = move |id: &KeyId| at(Place::Trusted).any(|file| file.id == Some(*id));
    at(Place::Signing).filter_map(|file| file.id).filter(move |id| !trusted(id))
}

fn no_passphrase() -> Failure {
    Failure::say(
        "there is no passphrase to encrypt the key with",
        "give it by --passphrase-file FILE, or in the variable JETON_PASSPHRASE",
    )
}

fn for_people(files: &[KeyFile]) -> Table {
    let mut table = Table::new(&["id", "purpose", "place", "encrypted", "file"]);
    for file in files {
        table.add([
            file.id.map_or_else(|| "?".to_owned(), |id| id.to_string()).into(),
            file.purpose.as_str().into(),
            file.place.as_str().into(),
            if file.encrypted { "yes" } else { "-" }.into(),
            file.path.display().to_string().into(),
        ]);
    }
    table
}

fn for_programs(files: &[KeyFile]) -> Table {
    let mut table = Table::new(&["id", "purpose", "place", "encrypted", "file"]);
    for file in files {
        table.add([
            file.id.map_or(Value::Null, |id| id.to_string().into()),
            file.purpose.as_str().into(),
            file.place.as_str().into(),
            file.encrypted.into(),
            file.path.display().to_string().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: u8, purpose: KeyPurpose, place: Place) -> KeyFile {
        KeyFile { id: Some(KeyId([id; 4])), purpose, place, encrypted: false, path: "k.pem".into() }
    }

    #[test]
    fn the_last_key_of_a_purpose_is_told() {
        let one = [
            file(1, KeyPurpose::Profile, Place::Signing),
            file(2, KeyPurpose::Admin, Place::Signing),
        ];
        assert_eq!(left_without_key(&one, KeyId([1; 4])), Some(KeyPurpose::Profile));
        assert_eq!(left_without_key(&one, KeyId([2; 4])), Some(KeyPurpose::Admin));
        let two = [one[0].clone(), file(3, KeyPurpose::Profile, Place::Signing)];
        assert_eq!(left_without_key(&two, KeyId([1; 4])), None);
        assert_eq!(left_without_key(&two, KeyId([9; 4])), None);
    }

    #[test]
    fn a_key_that_nobody_trusts_is_told() {
        let files = [
            file(1, KeyPurpose::Profile, Place::Signing),
            file(1, KeyPurpose::Profile, Place::Trusted),
            file(2, KeyPurpose::Profile, Place::Signing),
            file(3, KeyPurpose::Profile, Place::Retired),
        ];
        assert_eq!(untrusted(&files).collect::<Vec<_>>(), [KeyId([2; 4])]);
    }

    #[test]
    fn a_new_key_can_be_retired_but_not_as_the_last() {
        let root = tempfile::tempdir().unwrap();
        let keys = Keys {
            trusted: root.path().join("trusted"),
            signing: Some(root.path().join("signing")),
        };
        let ids = || -> Vec<_> {
            let files = key_files::signing(&root.path().join("signing")).unwrap();
            files.iter().filter_map(|file| file.id).collect()
        };
        new(&keys, KeyPurpose::Profile, None).unwrap();
        let first = ids()[0];
        let nobody = PassphraseArgs::default();
        let refused = retire(&keys, first, false, &nobody).unwrap_err().to_string();
        assert!(refused.contains("is the last key that signs profile tokens"), "{refused}");
        new(&keys, KeyPurpose::Profile, None).unwrap();
        retire(&keys, first, false, &nobody).unwrap();
        assert!(!ids().contains(&first));
        retire(&keys, ids()[0], true, &nobody).unwrap();
        assert!(ids().is_empty());
    }
}
