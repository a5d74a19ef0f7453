//! The state machine: the counts, revocations and permissions that follow from a log.
//!
//! Pure: [`State::apply`] reads no clock and draws no randomness, so all nodes that apply the same
//! entries have the same state. Time is the log's time, which never goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Command, Entry, Note, Outcome, RequestId, Revocation, Spend, SpendRefusal, TokenRecord,
};
use crate::token::{
    Batch, Claims, KeyId, Nonce, ProfileKind, Purpose, TokenId, UnixSeconds, UseLimit, UserName,
};

/// How long a verdict is kept at least, in seconds of the log's time. Retries end with the
/// request's deadline, which is far shorter.
pub const VERDICT_MEMORY: u64 = 30;

/// Seconds of expiry that share a bucket and are forgotten together.
const BUCKET: u64 = 60;

/// Seconds of the log's time between the end of a bucket and its removal. It matters only to lists:
/// an expired token is refused by time alone.
const GRACE: u64 = 60;

/// Seconds of verdicts that share a bucket and are forgotten together.
const VERDICT_BUCKET: u64 = 10;

/// Number of shards of the counts. A snapshot shares all of them with its state, and the next spend
/// copies only one.
const SHARDS: usize = 256;

/// The result of applying the log so far. A clone is cheap and serves as a snapshot.
#[derive(Clone, Debug)]
pub struct State {
    parts: Parts,
    /// By the last byte of the nonce, which is random.
    tokens: Vec<Arc<BTreeMap<TokenId, TokenUse>>>,
    /// What to forget, by `expires_at / BUCKET`. Derived from the other fields.
    expiring: BTreeMap<u64, Arc<Vec<Expiring>>>,
}

/// Everything that a snapshot contains but the tokens.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Parts {
    born_at: UnixSeconds,
    log_time: UnixSeconds,
    revoked: Arc<Revoked>,
    autologin: Arc<BTreeSet<UserName>>,
    /// By `log_time / VERDICT_BUCKET`.
    verdicts: BTreeMap<u64, Arc<Verdicts>>,
}

/// A token that the ledger knows, and its uses.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenUse {
    /// The token's claims.
    pub record: TokenRecord,
    /// How often it was used; always 0 for an unlimited token, which is not counted.
    pub used: u32,
    /// The operator's note, often empty.
    pub note: Note,
}

/// All revocations.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Revoked {
    nonces: BTreeMap<Nonce, Option<UnixSeconds>>,
    batches: BTreeSet<Batch>,
    users: BTreeMap<UserName, UnixSeconds>,
    keys: BTreeSet<KeyId>,
}

/// The outcomes of spends. The token is part of the key: the same request id with another token is
/// another request, and must be counted.
type Verdicts = BTreeMap<(RequestId, TokenId), Outcome>;

/// Something that is forgotten some time after it has expired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expiring {
    Token(TokenId),
    Revocation(Nonce),
}

/// What the ledger knows of a token, as far as this node has applied the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// It was issued before this ledger began to count.
    pub before_ledger: bool,
    /// It, its batch, its user or its key is revoked.
    pub revoked: bool,
    /// Its user may have `autologin` profiles.
    pub autologin_permitted: bool,
    /// How often it was used.
    pub used: u32,
}

impl Standing {
    /// Returns how many of `uses` are left; `None` if they are unlimited.
    #[must_use]
    pub fn uses_left(self, uses: UseLimit) -> Option<u32> {
        left_of(uses, self.used)
    }
}

impl State {
    /// Returns an empty state that counts tokens issued at or after `born_at`.
    #[must_use]
    pub fn new(born_at: UnixSeconds) -> Self {
        Self::from_parts(Parts { born_at, ..Parts::default() }, [])
    }

    /// Returns the state of a new ledger that continues from a copy of an older one.
    ///
    /// The copy lacks the uses since it was made, so all tokens issued before `born_at` are
    /// refused. Revocations, permissions and notes stay. Verdicts go: a repeated request must not
    /// be granted by one.
    #[must_use]
    pub fn with_new_birth(self, born_at: UnixSeconds) -> Self {
        let born_at = born_at.max(self.born_at());
        Self { parts: Parts { born_at, verdicts: BTreeMap::new(), ..self.parts }, ..self }
    }

    /// Applies one entry and returns an outcome for each of its commands.
    pub fn apply(&mut self, entry: &Entry) -> Vec<Outcome> {
        self.parts.log_time = self.parts.log_time.max(entry.timestamp);
        self.forget();
        entry.commands.iter().map(|command| self.apply_command(command)).collect()
    }

    /// Returns when this ledger began to count.
    #[must_use]
    pub const fn born_at(&self) -> UnixSeconds {
        self.parts.born_at
    }

    /// Returns the greatest timestamp of all entries so far. It never goes back.
    #[must_use]
    pub const fn log_time(&self) -> UnixSeconds {
        self.parts.log_time
    }

    /// Returns the standing of a token with these claims.
    #[must_use]
    pub fn standing(&self, token: TokenId, claims: &Claims) -> Standing {
        Standing {
            before_ledger: claims.issued_at < self.born_at(),
            revoked: self.parts.revoked.covers_claims(token, claims),
            autologin_permitted: self.parts.autologin.contains(&claims.user),
            used: self.token(token).map_or(0, |token| token.used),
        }
    }

    /// Returns the record and uses of `token`, if it is known.
    #[must_use]
    pub fn token(&self, token: TokenId) -> Option<&TokenUse> {
        self.shard(token).and_then(|shard| shard.get(&token))
    }

    /// Returns `true` if the token, its batch, its user or its key is revoked.
    pub(super) fn is_revoked(&self, record: &TokenRecord) -> bool {
        self.parts.revoked.covers(record.token, &record.user, record.issued_at)
    }

    /// Returns the number of revocations: of tokens, batches, users and keys.
    #[must_use]
    pub fn revocations(&self) -> usize {
        let Revoked { nonces, batches, users, keys } = &*self.parts.revoked;
        nonces.len() + batches.len() + users.len() + keys.len()
    }

    /// Returns the users who may have `autologin` profiles.
    #[must_use]
    pub fn autologin_users(&self) -> &BTreeSet<UserName> {
        &self.parts.autologin
    }

    fn apply_command(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Spend(spend) => return self.apply_spend(spend),
            Command::Revoke(revocation) => self.apply_revocation(revocation),
            Command::Permit { user, autologin: true } => {
                Arc::make_mut(&mut self.parts.autologin).insert(user.clone());
            }
            Command::Permit { user, autologin: false } => {
                Arc::make_mut(&mut self.parts.autologin).remove(user);
            }
            Command::Record { record, note } => self.apply_record(record, note),
        }
        Outcome::Done
    }

    /// Adds a token that is not known yet. If it is known with the same claims, only its note
    /// changes, and not to an empty one.
    fn apply_record(&mut self, record: &TokenRecord, note: &Note) {
        if record.expires_at <= self.log_time() {
            return;
        }
        match self.token(record.token) {
            None => {
                let (record, note) = (record.clone(), note.clone());
                self.insert(TokenUse { record, used: 0, note });
            }
            Some(known) if known.record == *record && known.note != *note && !note.is_empty() => {
                if let Some(known) = self.token_mut(record.token) {
                    known.note.clone_from(note);
                }
            }
            Some(_) => {}
        }
    }

    /// Returns the first verdict again for a repeated request, and decides any other.
    fn apply_spend(&mut self, spend: &Spend) -> Outcome {
        let request = (spend.request_id, spend.token);
        let mut buckets = self.parts.verdicts.values();
        if let Some(outcome) = buckets.find_map(|bucket| bucket.get(&request)) {
            return *outcome;
        }
        let outcome = match self.decide(spend) {
            Ok(used) => Outcome::Granted { used },
            Err(refusal) => Outcome::Refused(refusal),
        };
        let bucket = self.log_time().get() / VERDICT_BUCKET;
        let verdicts = self.parts.verdicts.entry(bucket).or_default();
        Arc::make_mut(verdicts).insert(request, outcome);
        outcome
    }

    /// Decides one spend, and counts a use only after every check has passed.
    fn decide(&mut self, spend: &Spend) -> Result<u32, SpendRefusal> {
        if spend.issued_at < self.born_at() {
            return Err(SpendRefusal::BeforeLedger);
        }
        if spend.expires_at <= self.log_time() {
            return Err(SpendRefusal::Expired);
        }
        if self.parts.revoked.covers(spend.token, &spend.user, spend.issued_at) {
            return Err(SpendRefusal::Revoked);
        }
        if spend.kind == ProfileKind::Autologin && !self.parts.autologin.contains(&spend.user) {
            return Err(SpendRefusal::AutologinDenied);
        }
        self.count(spend)
    }

    fn count(&mut self, spend: &Spend) -> Result<u32, SpendRefusal> {
        let record = spend.record();
        let Some(known) = self.token_mut(spend.token) else {
            self.insert(TokenUse { record, used: 1, note: Note::default() });
            return Ok(1);
        };
        if known.record != record {
            return Err(SpendRefusal::ClaimsMismatch);
        }
        if known.used >= spend.max.get() {
            return Err(SpendRefusal::UsedUp);
        }
        known.used += 1;
        Ok(known.used)
    }

    fn apply_revocation(&mut self, revocation: &Revocation) {
        let revoked = Arc::make_mut(&mut self.parts.revoked);
        match revocation {
            Revocation::Token { nonce, expires_at } => {
                let known = revoked.nonces.get(nonce).copied();
                // Of two revocations of one nonce, the one that is kept longer wins.
                let until = match known {
                    Some(known) => known.zip(*expires_at).map(|(a, b)| a.max(b)),
                    None => *expires_at,
                };
                revoked.nonces.insert(*nonce, until);
                if let Some(until) = until.filter(|_| known != Some(until)) {
                    self.expire_later(until, Expiring::Revocation(*nonce));
                }
            }
            Revocation::Batch(batch) => {
                revoked.batches.insert(*batch);
            }
            Revocation::User { user, issued_until } => {
                let until = revoked.users.entry(user.clone()).or_default();
                *until = (*until).max(*issued_until);
            }
            Revocation::Key(key_id) => {
                revoked.keys.insert(*key_id);
            }
        }
    }

    /// Drops whole buckets that ended long enough ago. It goes by the log's time only, so every
    /// node drops them at the same entry.
    fn forget(&mut self) {
        let log_time = self.log_time().get();
        while let Some(bucket) = self.expiring.first_entry()
            && is_over(*bucket.key(), BUCKET, GRACE, log_time)
        {
            let (bucket, entries) = bucket.remove_entry();
            for expiring in entries.iter() {
                self.forget_one(*expiring, bucket);
            }
        }
        while let Some(bucket) = self.parts.verdicts.first_entry()
            && is_over(*bucket.key(), VERDICT_BUCKET, VERDICT_MEMORY, log_time)
        {
            bucket.remove();
        }
    }

    fn forget_one(&mut self, expiring: Expiring, bucket: u64) {
        match expiring {
            Expiring::Token(token) => {
                if let Some(shard) = self.shard_mut(token) {
                    shard.remove(&token);
                }
            }
            Expiring::Revocation(nonce) => {
                let revoked = Arc::make_mut(&mut self.parts.revoked);
                // A later revocation may have extended this one, or made it permanent. An extended
                // one is listed in a later bucket too, and a snapshot restores only that place.
                let until = revoked.nonces.get(&nonce).copied().flatten();
                if until.is_some_and(|at| at.get() / BUCKET == bucket) {
                    revoked.nonces.remove(&nonce);
                }
            }
        }
    }

    fn insert(&mut self, token: TokenUse) {
        let id = token.record.token;
        self.expire_later(token.record.expires_at, Expiring::Token(id));
        if let Some(shard) = self.shard_mut(id) {
            shard.insert(id, token);
        }
    }

    fn expire_later(&mut self, at: UnixSeconds, expiring: Expiring) {
        let bucket = self.expiring.entry(at.get() / BUCKET).or_default();
        Arc::make_mut(bucket).push(expiring);
    }

    fn shard(&self, token: TokenId) -> Option<&BTreeMap<TokenId, TokenUse>> {
        self.tokens.get(shard_of(token)).map(|shard| &**shard)
    }

    fn shard_mut(&mut self, token: TokenId) -> Option<&mut BTreeMap<TokenId, TokenUse>> {
        self.tokens.get_mut(shard_of(token)).map(Arc::make_mut)
    }

    fn token_mut(&mut self, token: TokenId) -> Option<&mut TokenUse> {
        // Looked up first, so that a refusal copies no shared shard.
        self.token(token)?;
        self.shard_mut(token)?.get_mut(&token)
    }

    /// Returns everything but the tokens.
    pub(super) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Returns the tokens, shard by shard.
    pub(super) fn shards(&self) -> impl Iterator<Item = &BTreeMap<TokenId, TokenUse>> {
        self.tokens.iter().map(|shard| &**shard)
    }

    /// Restores a state from the contents of a snapshot.
    pub(super) fn from_parts(parts: Parts, tokens: impl IntoIterator<Item = TokenUse>) -> Self {
        let revoked = Arc::clone(&parts.revoked);
        let shards = vec![Arc::default(); SHARDS];
        let mut state = Self { parts, tokens: shards, expiring: BTreeMap::new() };
        for (nonce, until) in &revoked.nonces {
            if let Some(until) = until {
                state.expire_later(*until, Expiring::Revocation(*nonce));
            }
        }
        for token in tokens {
            state.insert(token);
        }
        state
    }
}

impl Revoked {
    /// Returns `true` if a token with these claims is revoked. Revoking a user covers profile
    /// tokens only; an admin token is revoked by id, batch or key.
    fn covers_claims(&self, token: TokenId, claims: &Claims) -> bool {
        match claims.purpose {
            Purpose::Profile(_) => self.covers(token, &claims.user, claims.issued_at),
            Purpose::Admin(_) => self.covers_token(token),
        }
    }

    fn covers(&self, token: TokenId, user: &UserName, issued_at: UnixSeconds) -> bool {
        self.covers_token(token) || self.users.get(user).is_some_and(|until| issued_at <= *until)
    }

    fn covers_token(&self, token: TokenId) -> bool {
        self.nonces.contains_key(&token.nonce)
            || self.batches.contains(&token.nonce.batch())
            || self.keys.contains(&token.key_id)
    }
}

impl TokenUse {
    /// Returns how many uses are left; `None` if they are unlimited.
    #[must_use]
    pub fn uses_left(&self) -> Option<u32> {
        left_of(self.record.uses, self.used)
    }
}

impl Spend {
    fn record(&self) -> TokenRecord {
        TokenRecord {
            token: self.token,
            kind: self.kind,
            user: self.user.clone(),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            uses: UseLimit::Limited(self.max),
        }
    }
}

/// Returns `true` if bucket number `bucket`, `width` seconds wide, ended at least `kept` seconds
/// before `log_time`.
fn is_over(bucket: u64, width: u64, kept: u64, log_time: u64) -> bool {
    let end = bucket.saturating_add(1).saturating_mul(width);
    end.saturating_add(kept) <= log_time
}

fn shard_of(token: TokenId) -> usize {
    let [.., last] = token.nonce.0;
    usize::from(last)
}

fn left_of(uses: UseLimit, used: u32) -> Option<u32> {
    uses.count().map(|max| max.saturating_sub(used))
}
