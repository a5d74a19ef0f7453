//! Minting from the command line, shared by `mint` and `sacli`. The minting itself is in
//! [`crate::mint`].
//!
//! Orders are options or lines of a table ([`orders_csv`]). [`expiry`] parses their expiry.
//! [`order_check`] rejects orders for links that would be refused, by the list of users of a node
//! or by [`permission`] (with [`users_file`]). Minted tokens are recorded by a node ([`recording`])
//! or printed ([`sheet`]).

pub(crate) mod expiry;
pub(crate) mod order_check;
pub(crate) mod orders_csv;
pub(crate) mod permission;
pub(crate) mod recording;
pub(crate) mod sheet;
pub(crate) mod users_file;

use clap::ValueHint;

use crate::cli::configured::LazyConfig;
use crate::cli::global::Global;
use crate::cli::key_choice::{self, KeyChoice};
use crate::failure::Failure;
use crate::mint::{MintError, Minter};
use crate::signing::passphrase::PassphraseArgs;
use crate::token::KeyPurpose;
use crate::token::url::PublicUrl;

#[derive(clap::Args)]
pub(crate) struct MinterArgs {
    /// Signing key: an id from `jeton key list`, or a file [default: the newest profile key in the
    /// signing directory]
    #[arg(long, value_name = "KEYID|FILE", value_hint = ValueHint::FilePath)]
    key: Option<KeyChoice>,

    /// Origin of the links, https://HOST or https://HOST:PORT [default: `public_url` in the
    /// configuration]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, env = "JETON_PUBLIC_URL")]
    public_url: Option<PublicUrl>,

    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

impl MinterArgs {
    /// Opens the key. The configuration is loaded only for what the command line does not set, so
    /// minting with a key file needs none.
    pub(crate) fn open(&self, global: &Global) -> Result<Minter, Failure> {
        let config = LazyConfig::new(global);
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
        "a link needs the public URL, which is not set",
        "give --public-url https://HOST, or set `public_url` in the configuration",
    )
}
