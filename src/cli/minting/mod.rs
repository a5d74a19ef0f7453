//! What a command line says to mint with: a key, and a name in the world.
//! `mint` and `sacli` share it; the minting itself is [`crate::mint`].
//!
//! Before it, orders are made: until when ([`expiry`]), for whom ([`permission`],
//! with its `users_file`), or many from a table ([`orders_csv`]);
//! [`order_check`] stops those that would come to nothing. After it, what
//! was minted is told to a node ([`recording`]) or printed ([`sheet`]).

pub(crate) mod expiry;
pub(crate) mod order_check;
pub(crate) mod orders_csv;
pub(crate) mod permission;
pub(crate) mod recording;
pub(crate) mod sheet;
pub(crate) mod users_file;

use clap::ValueHint;

use crate::cli::configured::WhenNeeded;
use crate::cli::global::Global;
use crate::cli::key_choice::{self, KeyChoice};
use crate::failure::Failure;
use crate::mint::{MintError, Minter};
use crate::signing::passphrase::PassphraseArgs;
use crate::token::KeyPurpose;
use crate::token::url::PublicUrl;

/// How a command line says what to mint with.
#[derive(clap::Args)]
pub(crate) struct MinterArgs {
    /// Signing key: an id from `jeton key list`, or a file [default: the newest
    /// profile key in the signing folder]
    #[arg(long, value_name = "KEYID|FILE", value_hint = ValueHint::FilePath)]
    key: Option<KeyChoice>,

    /// Where the world reaches the download nodes, https://HOST or https://HOST:PORT
    /// [default: `public_url` in the config]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, env = "JETON_PUBLIC_URL")]
    public_url: Option<PublicUrl>,

    /// The passphrase of the key.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

impl MinterArgs {
    /// Opens the key. The config is looked at only for what the command line
    /// leaves open, so a minter with a key file needs none.
    pub(crate) fn open(&self, global: &Global) -> Result<Minter, Failure> {
        let config = WhenNeeded::new(global);
        let public_url = match &self.public_url {
            Some(public_url) => public_url.clone(),
            None => config.get()?.public_url.clone().ok_or_else(no_public_url)?,
        };
        let key =
            key_choice::choose(self.key.as_ref(), KeyPurpose::Profile, &config, &self.passphrase)?;
        Ok(Minter::new(key, public_url))
    }
}

impl From<MintError> for Failure {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Random(error) => error.into(),
            MintError::Claims(_) => Self::new(&error, "set this machine's clock"),
        }
    }
}

fn no_public_url() -> Failure {
    Failure::say(
        "no public URL is known, and a link needs one",
        "give --public-url https://HOST, or set `public_url` in the config",
    )
}
