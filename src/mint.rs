//! Minting: from orders to signed tokens and the links that carry them.
//!
//! It needs a private key, a time and random bytes, and neither a network nor a
//! node. The command line mints here, and so does a node that was given a
//! signing key on purpose. Admin tokens, which open the operators' door, are made
//! here, too.

use thiserror::Error;

use crate::ledger::TokenRecord;
use crate::random::NoRandomness;
use crate::token::url::PublicUrl;
use crate::token::{
    AdminRole, Batch, Claims, ClaimsError, IpNetwork, KeyId, Lifetime, NewUserName, Nonce,
    ProfileKind, Purpose, SigningKey, Token, UnixSeconds, UseLimit, sign,
};

/// One token that is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// For whom.
    pub user: NewUserName,
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
pub struct Minted {
    /// What kind of profile it gives.
    pub kind: ProfileKind,
    /// What it says.
    pub claims: Claims,
    /// The token.
    pub token: Token,
    /// The links that carry it.
    pub links: Links,
}

/// The links of one token. Each of them is as good as the token, so there is no
/// `Debug`.
pub struct Links {
    /// What OpenVPN Connect imports, as Access Server prints it.
    pub import: String,
    /// What clients and scripts fetch.
    pub download: String,
    /// The page for people.
    pub share: String,
    /// What a QR code holds: an import link without a query, because Apple's
    /// systems are reported to strip one.
    pub scan: String,
}

/// What it takes to mint: a private key, and a name in the world.
#[derive(Debug)]
pub struct Minter {
    key: SigningKey,
    public_url: PublicUrl,
}

/// Why nothing was minted.
#[derive(Debug, Error)]
pub enum MintError {
    /// There are no random bytes for a nonce.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The claims cannot be signed; the time is out of range.
    #[error("this machine's clock is wrong")]
    Claims(#[from] ClaimsError),
}

impl Minter {
    /// Mints with `key`, links that lead to `public_url`.
    #[must_use]
    pub const fn new(key: SigningKey, public_url: PublicUrl) -> Self {
        Self { key, public_url }
    }

    /// Returns the id of the key that signs.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key.verifying_key().id()
    }

    /// Mints one token for each order, all issued at `now` and all in one batch,
    /// so that one line revokes them all. `random` must fill a buffer with fresh
    /// random bytes.
    ///
    /// # Errors
    ///
    /// [`MintError`] for the first token that cannot be made; then there is none.
    pub fn mint<'a>(
        &self,
        orders: impl IntoIterator<Item = &'a Order>,
        now: UnixSeconds,
        mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Vec<Minted>, MintError> {
        let mut batch = Batch([0; 4]);
        random(&mut batch.0)?;
        let orders = orders.into_iter();
        orders.map(|order| self.mint_in(batch, order, now, &mut random)).collect()
    }

    /// Mints one token, in a batch of its own; see [`Minter::mint`].
    ///
    /// # Errors
    ///
    /// [`MintError`] if it cannot be made.
    pub fn mint_one(
        &self,
        order: &Order,
        now: UnixSeconds,
        mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Minted, MintError> {
        let mut batch = Batch([0; 4]);
        random(&mut batch.0)?;
        self.mint_in(batch, order, now, &mut random)
    }

    fn mint_in(
        &self,
        batch: Batch,
        order: &Order,
        now: UnixSeconds,
        random: &mut impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Minted, MintError> {
        let mut unique = [0; 12];
        random(&mut unique)?;
        let claims = Claims {
            purpose: Purpose::Profile(order.kind),
            nonce: Nonce::new(batch, unique),
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

/// Mints the token that lets `user` act as `role` at the operators' door, from
/// `now` on, in a batch of its own. `random` must fill a buffer with fresh random
/// bytes.
///
/// # Errors
///
/// [`MintError`] without random bytes, or with a clock that is out of range.
pub fn mint_admin(
    key: &SigningKey,
    role: AdminRole,
    user: NewUserName,
    lifetime: Lifetime,
    now: UnixSeconds,
    mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<Token, MintError> {
    let (mut batch, mut unique) = (Batch([0; 4]), [0; 12]);
    random(&mut batch.0)?;
    random(&mut unique)?;
    let claims = Claims {
        purpose: Purpose::Admin(role),
        nonce: Nonce::new(batch, unique),
        issued_at: now,
        lifetime,
        uses: UseLimit::Unlimited,
        user: user.into(),
        network: None,
    };
    Ok(sign(&claims, key)?)
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
    /// Returns what the ledger may remember of this token.
    #[must_use]
    pub fn record(&self) -> TokenRecord {
        TokenRecord::of(self.token.id(), self.kind, &self.claims)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::token::{KeyPurpose, TrustedKey, TrustedKeys, UntrustedToken, verify};

    /// Returns a minter with a key of its own and `https://vpn.example.com`.
    pub(crate) fn minter() -> Minter {
        Minter {
            key: SigningKey::from_seed(&[7; 32]),
            public_url: "https://vpn.example.com".parse().unwrap(),
        }
    }

    /// Returns an order of one use and one hour for `user`.
    pub(crate) fn order(user: &str) -> Order {
        Order {
            user: NewUserName::new(user).unwrap(),
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
        fn find(&self, id: KeyId) -> Option<&TrustedKey> {
            (self.0.key.id() == id).then_some(&self.0)
        }
    }

    #[test]
    fn every_order_is_a_token_of_one_batch_that_verifies() {
        let minter = minter();
        let now = UnixSeconds::new(1_795_435_200);
        let minted = minter.mint(&[order("alice"), order("bob")], now, counting()).unwrap();
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
    fn an_admin_token_opens_the_operators_door_only() {
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
    fn without_random_bytes_nothing_is_minted() {
        let dry = |_: &mut [u8]| Err(NoRandomness::example());
        assert!(minter().mint(&[order("alice")], UnixSeconds::new(1), dry).is_err());
    }

    #[test]
    fn a_token_stays_short() {
        let now = UnixSeconds::new(1_795_435_200);
        let minted = minter().mint(&[order("alice")], now, counting()).unwrap();
        assert!(minted[0].token.as_str().len() <= 140);
        assert!(UntrustedToken::parse(minted[0].token.as_str()).is_ok());
    }
}
