//! `jeton key`: lists, creates and retires keys, on the machine that mints.

use clap::builder::PossibleValue;
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
use crate::token::{KeyId, KeyPurpose, SigningKey};

const EXAMPLES: &str = "\
Examples:
  jeton key list
  jeton key new                              create a key; the newest key signs
  jeton key new --encrypt --passphrase-file passphrase.txt
  jeton key retire 3f2a9c01

To rotate: create a key, copy its public half to every node and reload the nodes. Only
then retire the old key. Links that it signed keep working until they expire.";

const LIST_EXAMPLES: &str = "\
Examples:
  jeton key list
  jeton key list --format json | jq -r '.[] | select(.place == \"signing\") | .id'

A key that is trusted but does not sign here belongs to another machine, or is retired and
its links still work.";

const NEW_EXAMPLES: &str = "\
Examples:
  jeton key new                              for links; the newest key signs
  jeton key new --purpose admin              for operators: `jeton admin-link`
  jeton key new --encrypt --passphrase-file passphrase.txt

Copy the public half to every node and reload the nodes before you send the first link.";

const RETIRE_EXAMPLES: &str = "\
Examples:
  jeton key retire 3f2a9c01                  stop signing with it; its links keep working
  jeton revoke --key 3f2a9c01                refuse its links as well, as after a theft";

/// List, create and retire signing keys
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
    /// List the signing keys and the trusted keys
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Output format
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
    /// Create a key pair and print its id
    #[command(after_help = NEW_EXAMPLES)]
    New {
        /// What the key signs: links to profiles, or sign-in links for operators
        #[arg(long, value_enum, default_value_t = KeyPurpose::Profile)]
        purpose: KeyPurpose,

        /// Encrypt the private key with a passphrase; --passphrase-file implies it
        #[arg(long)]
        encrypt: bool,
    },
    /// Stop signing with a key; its links keep working until they expire
    #[command(after_help = RETIRE_EXAMPLES)]
    Retire {
        /// Id of the key, from `jeton key list`
        #[arg(value_name = "KEYID")]
        id: KeyId,

        /// Retire the key even if it is the last one for its purpose
        #[arg(long)]
        last: bool,
    },
}

impl ValueEnum for KeyPurpose {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

pub(crate) fn run(args: KeyArgs, global: &Global) -> Result<(), Failure> {
    let KeyArgs { command, passphrase } = args;
    let keys = global.load()?.keys;
    match command {
        KeyCommand::List { format } => list(&keys, format),
        KeyCommand::New { purpose, encrypt } => {
            let encrypt = encrypt || passphrase.names_a_file();
            new(&keys, purpose, encrypt.then_some(&passphrase))
        }
        KeyCommand::Retire { id, last } => retire(&keys, id, last, &passphrase),
    }
}

fn list(keys: &Keys, format: ListFormat) -> Result<(), Failure> {
    let files = key_files::list(&keys.trusted, keys.signing.as_deref())?;
    output::show(&match format {
        ListFormat::Text => for_people(&files).to_text(),
        ListFormat::Json => for_programs(&files).to_json()?,
        ListFormat::Csv => for_programs(&files).to_csv()?,
    })?;
    for id in untrusted(&files) {
        output::remark(&format!(
            "Key {id} signs but is not trusted here. Nodes without its public half refuse its links."
        ));
    }
    Ok(())
}

fn new(keys: &Keys, purpose: KeyPurpose, lock: Option<&PassphraseArgs>) -> Result<(), Failure> {
    let signing = configured::signing_dir(keys)?;
    let passphrase = lock.map(PassphraseArgs::read).transpose()?;
    let encryption = match &passphrase {
        Some(passphrase) => Some(Encryption {
            passphrase: passphrase.as_str().ok_or_else(no_passphrase)?,
            salt: random::bytes()?,
            iv: random::bytes()?,
        }),
        None => None,
    };
    let key = SigningKey::from_seed(&zeroize::Zeroizing::new(random::bytes()?));
    let pair = keyring::write_new(&keys.trusted, signing, purpose, &key, encryption.as_ref())?;

    output::show(&format!("{}\n", key.verifying_key().id()))?;
    output::remark(&format!(
        "private key  {}  (keep it here)\npublic key   {}  (copy it to every node)\n\
         Then reload the nodes: systemctl reload jeton, or kill -HUP.",
        pair.private.display(),
        pair.public.display()
    ));
    Ok(())
}

fn retire(keys: &Keys, id: KeyId, last: bool, lock: &PassphraseArgs) -> Result<(), Failure> {
    let signing = configured::signing_dir(keys)?;
    let files = key_files::signing(signing)?;
    if let Some(purpose) = left_without_key(&files, id)
        && !last
    {
        return Err(Failure::say(
            format!("{id} is the last key that signs {purpose} tokens"),
            format!(
                "create another one first: `jeton key new --purpose {purpose}`; or give --last to \
                 stop signing on this machine"
            ),
        ));
    }
    if files.iter().all(|file| file.id.is_some_and(|other| other != id)) {
        return Err(KeyringError::NoPrivateKey { path: signing.into(), id }.into());
    }
    let passphrase = lock.read()?;
    let retired = keyring::retire(signing, id, passphrase.as_str())?;

    output::show(&format!("retired {id}: {}\n", retired.display()))?;
    output::remark(&format!(
        "The key no longer signs here. Its links keep working until they expire, for at most 366 \
         days; keep its public half trusted until then.\n\
         To refuse all its links now: jeton revoke --key {id}\n\
         A node keeps minting with it until it is reloaded: systemctl reload jeton, or kill -HUP."
    ));
    Ok(())
}

/// Returns the purpose of the key `id` if no other key signs for it.
fn left_without_key(files: &[KeyFile], id: KeyId) -> Option<KeyPurpose> {
    let purpose = files.iter().find(|file| file.id == Some(id))?.purpose;
    let mut others = files.iter().filter(|file| file.id != Some(id));
    (!others.any(|file| file.purpose == purpose)).then_some(purpose)
}

/// Returns the signing keys that are not trusted here.
fn untrusted(files: &[KeyFile]) -> impl Iterator<Item = KeyId> {
    let at = |place| files.iter().filter(move |file| file.place == place);
    let trusted = move |id: &KeyId| at(Place::Trusted).any(|file| file.id == Some(*id));
    at(Place::Signing).filter_map(|file| file.id).filter(move |id| !trusted(id))
}

fn no_passphrase() -> Failure {
    Failure::say(
        "the passphrase to encrypt the key with is missing",
        "give it with --passphrase-file FILE or in the variable JETON_PASSPHRASE",
    )
}

fn for_people(files: &[KeyFile]) -> Table {
    table(files, |file| file.id.map_or_else(|| "?".into(), |id| id.to_string().into()))
}

fn for_programs(files: &[KeyFile]) -> Table {
    table(files, |file| file.id.map(|id| id.to_string()).into())
}

fn table(files: &[KeyFile], id: fn(&KeyFile) -> Value) -> Table {
    Table::of(
        files,
        &[
            ("id", id),
            ("purpose", |file| file.purpose.as_str().into()),
            ("place", |file| file.place.as_str().into()),
            ("encrypted", |file| file.encrypted.into()),
            ("file", |file| file.path.display().to_string().into()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: u8, purpose: KeyPurpose, place: Place) -> KeyFile {
        KeyFile { id: Some(KeyId([id; 4])), purpose, place, encrypted: false, path: "k.pem".into() }
    }

    #[test]
    fn finds_the_last_key_of_a_purpose() {
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
    fn finds_signing_keys_that_are_not_trusted() {
        let files = [
            file(1, KeyPurpose::Profile, Place::Signing),
            file(1, KeyPurpose::Profile, Place::Trusted),
            file(2, KeyPurpose::Profile, Place::Signing),
            file(3, KeyPurpose::Profile, Place::Retired),
        ];
        assert_eq!(untrusted(&files).collect::<Vec<_>>(), [KeyId([2; 4])]);
    }

    #[test]
    fn retires_a_key_unless_it_is_the_last() {
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
        let no_passphrase = PassphraseArgs::default();
        let message = retire(&keys, first, false, &no_passphrase).unwrap_err().to_string();
        assert!(message.contains("is the last key that signs profile tokens"), "{message}");
        new(&keys, KeyPurpose::Profile, None).unwrap();
        retire(&keys, first, false, &no_passphrase).unwrap();
        assert!(!ids().contains(&first));
        retire(&keys, ids()[0], true, &no_passphrase).unwrap();
        assert!(ids().is_empty());
    }
}
