//! Minting: from an order to signed tokens and their links. `mint` and `sacli`
//! differ in how an order is spoken and in how the answer is written; the work
//! between is here. It needs no network and no node.

use clap::ValueHint;

use crate::token::url::PublicUrl;
use crate::token::{
    Batch, Claims, ClaimsError, IpNetwork, KeyPurpose, Lifetime, Nonce, ProfileKind, Purpose,
    SigningKey, Token, UnixSeconds, UseLimit, UserName, sign,
};

use super::Global;
use super::configured::{self, WhenNeeded};
use super::failure::Failure;
use super::links::Links;
use super::passphrase::PassphraseArgs;
use super::random::NoRandomness;
use super::signing_key::{self, KeyChoice};

/// What is to be minted: one token for each user, alike in all else.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// For whom.
    pub users: Vec<UserName>,
    /// What kind of profile.
    pub kind: ProfileKind,
    /// For how long.
    pub lifetime: Lifetime,
    /// How often.
    pub uses: UseLimit,
    /// From where, if not from everywhere.
    pub network: Option<IpNetwork>,
}

/// A token and what is known about it. Whoever sees it can redeem it, so there
/// is no `Debug`.
pub(crate) struct Minted {
    /// What kind of profile it gives.
    pub kind: ProfileKind,
    /// What it says.
    pub claims: Claims,
    /// The token.
    pub token: Token,
    /// The links that carry it.
    pub links: Links,
}

/// What it takes to mint: a private key, and a name in the world.
#[derive(Debug)]
pub(crate) struct Minter {
    key: SigningKey,
    public_url: PublicUrl,
}

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
        let passphrase = self.passphrase.read()?;
        let key = match &self.key {
            Some(KeyChoice::File(path)) => {
                signing_key::load_file(path, KeyPurpose::Profile, &passphrase)?
            }
            Some(KeyChoice::Id(id)) => {
                let folder = configured::signing_folder(&config.get()?.keys)?;
                signing_key::load(folder, KeyPurpose::Profile, Some(*id), &passphrase)?
            }
            None => {
                let folder = configured::signing_folder(&config.get()?.keys)?;
                signing_key::load(folder, KeyPurpose::Profile, None, &passphrase)?
            }
        };
        Ok(Minter { key, public_url })
    }
}

impl Minter {
    /// Mints with `key`, links that lead to `public_url`.
    pub(crate) const fn new(key: SigningKey, public_url: PublicUrl) -> Self {
        Self { key, public_url }
    }

    /// Mints one token for each user of `order`, all in one batch, so that one
    /// line revokes them all. `random` must fill a buffer with fresh random
    /// bytes.
    pub(crate) fn mint(
        &self,
        order: &Order,
        now: UnixSeconds,
        mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Vec<Minted>, Failure> {
        let mut batch = Batch([0; 4]);
        random(&mut batch.0)?;
        let mint_for = |user: &UserName| {
            let mut unique = [0; 12];
            random(&mut unique)?;
            let claims = Claims {
                purpose: Purpose::Profile(order.kind),
                nonce: Nonce::new(batch, unique),
                issued_at: now,
                lifetime: order.lifetime,
                uses: order.uses,
                user: user.clone(),
                network: order.network,
            };
            let token = sign(&claims, &self.key).map_err(|error| wrong_clock(&error))?;
            let links = Links::of(&self.public_url, &token);
            Ok(Minted { kind: order.kind, claims, token, links })
        };
        order.users.iter().map(mint_for).collect()
    }
}

fn wrong_clock(error: &ClaimsError) -> Failure {
    Failure::new(error, "set this machine's clock")
}

fn no_public_url() -> Failure {
    Failure::say(
        "no public URL is known, and a link needs one",
        "give --public-url https://HOST, or set `public_url` in the config",
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::token::{TrustedKey, TrustedKeys, UntrustedToken, verify};

    /// Returns a minter with a key of its own and `https://vpn.example.com`.
    pub(crate) fn minter() -> Minter {
        Minter {
            key: SigningKey::from_seed(&[7; 32]),
            public_url: "https://vpn.example.com".parse().unwrap(),
        }
    }

    /// Returns an order of one use and one hour for `users`.
    pub(crate) fn order(users: &[&str]) -> Order {
        Order {
            users: users.iter().map(|user| UserName::new(*user).unwrap()).collect(),
            kind: ProfileKind::UserLocked,
            lifetime: Lifetime::from_seconds(3_600).unwrap(),
            uses: UseLimit::ONCE,
            network: None,
        }
    }

    /// Returns a source that gives 1, 1, 1, 1, then 2, 2, ... and so on.
    pub(crate) fn counting() -> impl FnMut(&mut [u8]) -> Result<(), NoRandomness> {
        let mut draw = 0;
        move |bytes| {
            draw += 1;
            bytes.fill(draw);
            Ok(())
        }
    }

    struct One(TrustedKey);

    impl TrustedKeys for One {
        fn find(&self, id: crate::token::KeyId) -> Option<&TrustedKey> {
            (self.0.key.id() == id).then_some(&self.0)
        }
    }

    #[test]
    fn every_user_gets_a_token_of_one_batch_that_verifies() {
        let minter = minter();
        let now = UnixSeconds::new(1_795_435_200);
        let minted = minter.mint(&order(&["alice", "bob"]), now, counting()).unwrap();
        let key = *minter.key.verifying_key();
        let trusted = One(TrustedKey { purpose: KeyPurpose::Profile, key });
        for (minted, (user, byte)) in minted.iter().zip([("alice", 2), ("bob", 3)]) {
            let verified = verify(minted.token.as_str(), &trusted).unwrap();
            assert_eq!(verified.claims(), &minted.claims);
            assert_eq!(minted.claims.user.as_str(), user);
            assert_eq!(minted.claims.issued_at, now);
            assert_eq!(minted.claims.nonce, Nonce::new(Batch([1; 4]), [byte; 12]));
            assert!(minted.links.import.ends_with(minted.token.as_str()));
        }
        assert_eq!(minted.len(), 2);
    }

    #[test]
    fn without_random_bytes_nothing_is_minted() {
        let dry = |_: &mut [u8]| Err(NoRandomness::example());
        assert!(minter().mint(&order(&["alice"]), UnixSeconds::new(1), dry).is_err());
    }

    #[test]
    fn a_token_stays_short() {
        let minted = minter().mint(&order(&["alice"]), UnixSeconds::new(1_795_435_200), counting());
        let minted = minted.unwrap();
        assert!(minted[0].token.as_str().len() <= 140);
        assert!(UntrustedToken::parse(minted[0].token.as_str()).is_ok());
    }
}
