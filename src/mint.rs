//! Minting: from orders to signed tokens and the links that carry them.
//!
//! Minting needs a private key, a time and random bytes, but no network and no node. The command
//! line mints, and so does a node that has a signing key. Admin tokens are minted here, too.

use thiserror::Error;

use crate::ledger::TokenRecord;
use crate::random::NoRandomness;
use crate::token::url::PublicUrl;
use crate::token::{
    AdminRole, Batch, Claims, ClaimsError, IpNetwork, KeyId, Lifetime, NewUserName, Nonce,
    ProfileKind, Purpose, SigningKey, Token, UnixSeconds, UseLimit, sign,
};

/// An order for one token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// The user.
    pub user: NewUserName,
    /// The kind of profile.
    pub kind: ProfileKind,
    /// How long the token is valid.
    pub lifetime: Lifetime,
    /// How often the token can be used.
    pub uses: UseLimit,
    /// The network that clients must be in, if any.
    pub network: Option<IpNetwork>,
}

/// A minted token. It is a bearer secret, so there is no `Debug`.
pub struct Minted {
    /// The kind of profile.
    pub kind: ProfileKind,
    /// The claims.
    pub claims: Claims,
    /// The token.
    pub token: Token,
    /// The links that carry the token.
    pub links: Links,
}

/// The links of one token. They contain the token, so there is no `Debug`.
pub struct Links {
    /// The link that OpenVPN Connect imports, as Access Server prints it.
    pub import: String,
    /// The link that clients and scripts download.
    pub download: String,
    /// The link of the share page.
    pub share: String,
    /// The link for QR codes: an import link without a query, because Apple's systems are reported
    /// to strip it.
    pub scan: String,
}

/// Mints profile tokens with one private key, for links to one public URL.
#[derive(Debug)]
pub struct Minter {
    key: SigningKey,
    public_url: PublicUrl,
}

/// Why nothing was minted.
#[derive(Debug, Error)]
pub enum MintError {
    /// The system gives no random bytes for a nonce.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The claims cannot be signed, because their time is out of range.
    #[error("this machine's clock is wrong")]
    Claims(#[from] ClaimsError),
}

impl Minter {
    /// Makes a minter that signs with `key`, for links to `public_url`.
    #[must_use]
    pub const fn new(key: SigningKey, public_url: PublicUrl) -> Self {
        Self { key, public_url }
    }

    /// Returns the id of the signing key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key.verifying_key().id()
    }

    /// Mints one token for each order. All are issued at `now` and in one batch, so that one
    /// revocation covers them all. `random` must fill a buffer with fresh random bytes.
    ///
    /// # Errors
    ///
    /// [`MintError`] if one of the tokens cannot be minted.
    pub fn mint<'a>(
        &self,
        orders: impl IntoIterator<Item = &'a Order>,
        now: UnixSeconds,
        mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Vec<Minted>, MintError> {
        let batch = Batch(draw(&mut random)?);
        let orders = orders.into_iter();
        orders.map(|order| self.mint_in(batch, order, now, &mut random)).collect()
    }

    /// Mints one token in a batch of its own; see [`Minter::mint`].
    ///
    /// # Errors
    ///
    /// [`MintError`] if it cannot be minted.
    pub fn mint_one(
        &self,
        order: &Order,
        now: UnixSeconds,
        mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Minted, MintError> {
        let batch = Batch(draw(&mut random)?);
        self.mint_in(batch, order, now, &mut random)
    }

    fn mint_in(
        &self,
        batch: Batch,
        order: &Order,
        now: UnixSeconds,
        random: &mut impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Minted, MintError> {
        let claims = Claims {
            purpose: Purpose::Profile(order.kind),
            nonce: Nonce::new(batch, draw(random)?),
            issued_at: now,
            lifetime: order.lifetime,
            uses: order.uses,
            user: order.user.name().clone(),
            network: order.network,
        };
        let token = sign(&claims, &self.key)?;
        let links = Links::of(&self.public_url, &token);
        Ok(Minted { kind: order.kind, claims, token, links })
    }
}

/// Mints an admin token for `user` in `role`, issued at `now` in a batch of its own. `random` must
/// fill a buffer with fresh random bytes.
///
/// # Errors
///
/// [`MintError`] if it cannot be minted.
pub fn mint_admin(
    key: &SigningKey,
    role: AdminRole,
    user: NewUserName,
    lifetime: Lifetime,
    now: UnixSeconds,
    mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<Token, MintError> {
    let batch = Batch(draw(&mut random)?);
    let claims = Claims {
        purpose: Purpose::Admin(role),
        nonce: Nonce::new(batch, draw(&mut random)?),
        issued_at: now,
        lifetime,
        uses: UseLimit::Unlimited,
        user: user.into(),
        network: None,
    };
    Ok(sign(&claims, key)?)
}

fn draw<const N: usize>(
    random: &mut impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    random(&mut bytes)?;
    Ok(bytes)
}

impl Links {
    /// Makes the links of `token` at `public_url`.
    #[must_use]
    pub fn of(public_url: &PublicUrl, token: &Token) -> Self {
        Self {
            import: public_url.import(token),
            download: public_url.download(token),
            share: public_url.share(token),
            scan: public_url.import_by_path(token),
        }
    }
}

impl Minted {
    /// Returns the record of this token for the ledger.
    #[must_use]
    pub fn record(&self) -> TokenRecord {
        TokenRecord::of(self.token.id(), self.kind, &self.claims)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::keyring::Keyring;
    use crate::token::{KeyPurpose, TrustedKey, UntrustedToken, verify};

    /// Returns a minter for links to `https://vpn.example.com`.
    pub(crate) fn minter() -> Minter {
        Minter {
            key: SigningKey::from_seed(&[7; 32]),
            public_url: "https://vpn.example.com".parse().unwrap(),
        }
    }

    /// Returns an order for `user`: one use within an hour.
    pub(crate) fn order(user: &str) -> Order {
        Order {
            user: NewUserName::new(user).unwrap(),
            kind: ProfileKind::UserLocked,
            lifetime: Lifetime::from_seconds(3_600).unwrap(),
            uses: UseLimit::ONCE,
            network: None,
        }
    }

    /// Returns a source that fills the first buffer with 1s, the second with 2s, and so on.
    pub(crate) fn counting() -> impl FnMut(&mut [u8]) -> Result<(), NoRandomness> {
        let mut draw = 0;
        move |bytes| {
            draw += 1;
            bytes.fill(draw);
            Ok(())
        }
    }

    #[test]
    fn mints_a_verifiable_token_for_each_order_in_one_batch() {
        let minter = minter();
        let now = UnixSeconds::new(1_795_435_200);
        let minted = minter.mint(&[order("alice"), order("bob")], now, counting()).unwrap();
        let key = *minter.key.verifying_key();
        let trusted = TrustedKey { purpose: KeyPurpose::Profile, key };
        let trusted = Keyring::new([("key.pem".into(), trusted)]).unwrap();
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
    fn mints_an_admin_token_in_a_batch_of_its_own() {
        let key = SigningKey::from_seed(&[9; 32]);
        let order = order("carol");
        let now = UnixSeconds::new(1_795_435_200);
        let token =
            mint_admin(&key, AdminRole::Viewer, order.user, order.lifetime, now, counting())
                .unwrap();
        let claims = UntrustedToken::parse(token.as_str()).unwrap().untrusted_claims().unwrap();
        assert_eq!(claims.purpose, Purpose::Admin(AdminRole::Viewer));
        assert_eq!((claims.user.as_str(), claims.issued_at), ("carol", now));
        assert_eq!(claims.nonce, Nonce::new(Batch([1; 4]), [2; 12]));
    }

    #[test]
    fn mints_nothing_without_random_bytes() {
        let failing = |_: &mut [u8]| Err(NoRandomness::example());
        assert!(minter().mint(&[order("alice")], UnixSeconds::new(1), failing).is_err());
    }

    #[test]
    fn a_token_has_at_most_140_characters() {
        let now = UnixSeconds::new(1_795_435_200);
        let minted = minter().mint(&[order("alice")], now, counting()).unwrap();
        assert!(minted[0].token.as_str().len() <= 140);
        assert!(UntrustedToken::parse(minted[0].token.as_str()).is_ok());
    }
}
