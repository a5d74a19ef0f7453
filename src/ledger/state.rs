//! The state machine: the counts, revocations and permissions that a log means.
//!
//! Pure: [`State::apply`] reads no clock and draws no randomness, so that every
//! node that applies the same entries holds the same state. Time is the time of
//! the log, which never goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Command, Entry, Note, Outcome, RequestId, Revocation, Spend, SpendRefusal, TokenRecord,
};
use crate::token::{
    Batch, Claims, KeyId, Nonce, ProfileKind, Purpose, TokenId, UnixSeconds, UseLimit, UserName,
};

/// How long a verdict is remembered at least, in seconds of the log's time. A
/// retry comes within its request's deadline, which is far shorter.
pub const VERDICT_MEMORY: u64 = 30;

/// Seconds of expiry that share a bucket and are forgotten together.
const BUCKET: u64 = 60;

/// Seconds of the log's time between the end of a bucket and its removal. An
/// expired token is refused by time alone, so this is only for lists.
const GRACE: u64 = 60;

/// Seconds of verdicts that are forgotten together.
const VERDICT_BUCKET: u64 = 10;

/// Into how many parts the counts are divided. A snapshot shares all of them
/// with the state it was taken of, and the next spend copies just one.
const SHARDS: usize = 256;

/// What the log means so far. A clone is cheap and is a snapshot.
#[derive(Clone, Debug)]
pub struct State {
    born_at: UnixSeconds,
    log_time: UnixSeconds,
    /// By the last byte of the nonce, which is random.
    tokens: Vec<Arc<BTreeMap<TokenId, TokenUse>>>,
    revoked: Arc<Revoked>,
    autologin: Arc<BTreeSet<UserName>>,
    /// By `log_time / VERDICT_BUCKET`.
    verdicts: BTreeMap<u64, Arc<Verdicts>>,
    /// What to forget, by `expires_at / BUCKET`. Follows from the rest.
    expiring: BTreeMap<u64, Arc<Vec<Expiring>>>,
}

/// A token the ledger knows, and how often it was used.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenUse {
    /// What the token says.
    pub record: TokenRecord,
    /// How often it was used; always 0 for an unlimited one, which is not counted.
    pub used: u32,
    /// What was written beside it; empty if nobody recorded it.
    pub note: Note,
}

/// Everything that is refused whatever its count.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Revoked {
    nonces: BTreeMap<Nonce, Option<UnixSeconds>>,
    batches: BTreeSet<Batch>,
    users: BTreeMap<UserName, UnixSeconds>,
    keys: BTreeSet<KeyId>,
}

/// What was decided about a wish. The token belongs to its name: a request id
/// that comes again with another token is another wish, and has to be counted.
type Verdicts = BTreeMap<(RequestId, TokenId), Outcome>;

/// Something that is forgotten some time after it expired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expiring {
    Token(TokenId),
    Revocation(Nonce),
}

/// How a token stands with the ledger, as far as this node has applied the log.
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
    /// Returns how many of `uses` are left; `None` if any number is.
    #[must_use]
    pub fn uses_left(self, uses: UseLimit) -> Option<u32> {
        left_of(uses, self.used)
    }
}

impl State {
    /// Begins a ledger that counts tokens issued at or after `born_at`.
    #[must_use]
    pub fn new(born_at: UnixSeconds) -> Self {
        Self {
            born_at,
            log_time: UnixSeconds::default(),
            tokens: vec![Arc::default(); SHARDS],
            revoked: Arc::default(),
            autologin: Arc::default(),
            verdicts: BTreeMap::new(),
            expiring: BTreeMap::new(),
        }
    }

    /// Begins a new ledger with what an older copy of one knew.
    ///
    /// Nobody knows what was used after the copy was made, so tokens issued before
    /// `born_at` are refused, whatever their counts. Revocations, permissions and
    /// notes stay. Verdicts go: none of them may be given again.
    #[must_use]
    pub fn reborn(self, born_at: UnixSeconds) -> Self {
        Self { born_at: born_at.max(self.born_at), verdicts: BTreeMap::new(), ..self }
    }

    /// Applies one entry and returns one outcome for each of its commands.
    pub fn apply(&mut self, entry: &Entry) -> Vec<Outcome> {
        self.log_time = self.log_time.max(entry.stamp);
        self.forget();
        entry.commands.iter().map(|command| self.apply_command(command)).collect()
    }

    /// When this ledger began to count.
    #[must_use]
    pub const fn born_at(&self) -> UnixSeconds {
        self.born_at
    }

    /// The latest stamp of all entries so far. It never goes back.
    #[must_use]
    pub const fn log_time(&self) -> UnixSeconds {
        self.log_time
    }

    /// Tells how a token with these claims stands.
    #[must_use]
    pub fn standing(&self, token: TokenId, claims: &Claims) -> Standing {
        Standing {
            before_ledger: claims.issued_at < self.born_at,
            revoked: self.revoked.covers_claims(token, claims),
            autologin_permitted: self.autologin.contains(&claims.user),
            used: self.token(token).map_or(0, |token| token.used),
        }
    }

    /// Returns what is known of `token`.
    #[must_use]
    pub fn token(&self, token: TokenId) -> Option<&TokenUse> {
        self.shard(token).and_then(|shard| shard.get(&token))
    }

    /// Tells whether the token, its batch, its user or its key is revoked.
    pub(super) fn is_revoked(&self, record: &TokenRecord) -> bool {
        self.revoked.covers(record.token, &record.user, record.issued_at)
    }

    /// Returns how many revocations there are: of tokens, batches, users and keys.
    #[must_use]
    pub fn revocations(&self) -> usize {
        let Revoked { nonces, batches, users, keys } = &*self.revoked;
        nonces.len() + batches.len() + users.len() + keys.len()
    }

    /// Returns the users who may have `autologin` profiles.
    #[must_use]
    pub fn autologin_users(&self) -> &BTreeSet<UserName> {
        &self.autologin
    }

    fn apply_command(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Spend(spend) => self.apply_spend(spend),
            Command::Revoke(revocation) => self.apply_revocation(revocation),
            Command::Permit { user, autologin: true } => {
                Arc::make_mut(&mut self.autologin).insert(user.clone());
                Outcome::Done
            }
            Command::Permit { user, autologin: false } => {
                Arc::make_mut(&mut self.autologin).remove(user);
                Outcome::Done
            }
            Command::Record { record, note } => {
                self.remember(record, note);
                Outcome::Done
            }
        }
    }

    /// Remembers a token that is not known yet. Of one that is, only the note
    /// can change, and only by a record that says the same as what is known.
    fn remember(&mut self, record: &TokenRecord, note: &Note) {
        if record.expires_at <= self.log_time {
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

    /// Gives a repeated wish its first verdict again, and any other its own.
    fn apply_spend(&mut self, spend: &Spend) -> Outcome {
        let wish = (spend.request_id, spend.token);
        let known = self.verdicts.values().find_map(|bucket| bucket.get(&wish));
        if let Some(outcome) = known {
            return *outcome;
        }
        let outcome = match self.judge(spend) {
            Ok(used) => Outcome::Granted { used },
            Err(refusal) => Outcome::Refused(refusal),
        };
        let bucket = self.verdicts.entry(self.log_time.get() / VERDICT_BUCKET).or_default();
        Arc::make_mut(bucket).insert(wish, outcome);
        outcome
    }

    /// Decides one spend. A use is counted only when every check has passed.
    fn judge(&mut self, spend: &Spend) -> Result<u32, SpendRefusal> {
        if spend.issued_at < self.born_at {
            return Err(SpendRefusal::BeforeLedger);
        }
        if spend.expires_at <= self.log_time {
            return Err(SpendRefusal::Expired);
        }
        if self.revoked.covers(spend.token, &spend.user, spend.issued_at) {
            return Err(SpendRefusal::Revoked);
        }
        if spend.kind == ProfileKind::Autologin && !self.autologin.contains(&spend.user) {
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
            return Err(SpendRefusal::Contradiction);
        }
        if known.used >= spend.max.get() {
            return Err(SpendRefusal::UsedUp);
        }
        known.used += 1;
        Ok(known.used)
    }

    fn apply_revocation(&mut self, revocation: &Revocation) -> Outcome {
        let revoked = Arc::make_mut(&mut self.revoked);
        match revocation {
            Revocation::Token { nonce, expires_at } => {
                let known = revoked.nonces.get(nonce).copied();
                // Of two lines for one nonce, the one that is kept longer counts.
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
        Outcome::Done
    }

    /// Drops whole buckets of what expired long enough ago. Every node does so
    /// at the same entry, because only the log's time is looked at.
    fn forget(&mut self) {
        let log_time = self.log_time.get();
        while let Some(bucket) = self.expiring.first_entry()
            && is_over(*bucket.key(), BUCKET, GRACE, log_time)
        {
            for expiring in bucket.remove().iter() {
                self.forget_one(*expiring);
            }
        }
        while let Some(bucket) = self.verdicts.first_entry()
            && is_over(*bucket.key(), VERDICT_BUCKET, VERDICT_MEMORY, log_time)
        {
            bucket.remove();
        }
    }

    fn forget_one(&mut self, expiring: Expiring) {
        match expiring {
            Expiring::Token(token) => {
                if let Some(shard) = self.shard_mut(token) {
                    shard.remove(&token);
                }
            }
            Expiring::Revocation(nonce) => {
                let revoked = Arc::make_mut(&mut self.revoked);
                // A later line may have prolonged this one, or made it permanent.
                let log_time = self.log_time;
                if revoked
                    .nonces
                    .get(&nonce)
                    .is_some_and(|until| until.is_some_and(|at| at <= log_time))
                {
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
        // Looked up first, so that a refusal does not copy a shared shard.
        self.token(token)?;
        self.shard_mut(token)?.get_mut(&token)
    }
}

/// What a snapshot has to hold, and how a state is made of it again.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Parts {
    pub(super) born_at: UnixSeconds,
    pub(super) log_time: UnixSeconds,
    pub(super) revoked: Arc<Revoked>,
    pub(super) autologin: Arc<BTreeSet<UserName>>,
    pub(super) verdicts: BTreeMap<u64, Arc<Verdicts>>,
}

impl State {
    /// Returns everything but the tokens.
    pub(super) fn parts(&self) -> Parts {
        Parts {
            born_at: self.born_at,
            log_time: self.log_time,
            revoked: Arc::clone(&self.revoked),
            autologin: Arc::clone(&self.autologin),
            verdicts: self.verdicts.clone(),
        }
    }

    /// Returns the tokens, shard by shard.
    pub(super) fn shards(&self) -> impl Iterator<Item = &BTreeMap<TokenId, TokenUse>> {
        self.tokens.iter().map(|shard| &**shard)
    }

    /// Makes a state of what a snapshot held. What to forget follows from it.
    pub(super) fn from_parts(parts: Parts, tokens: impl IntoIterator<Item = TokenUse>) -> Self {
        let mut state = Self::new(parts.born_at);
        state.log_time = parts.log_time;
        for (nonce, until) in &parts.revoked.nonces {
            if let Some(until) = until {
                state.expire_later(*until, Expiring::Revocation(*nonce));
            }
        }
        state.revoked = parts.revoked;
        state.autologin = parts.autologin;
        state.verdicts = parts.verdicts;
        for token in tokens {
            state.insert(token);
        }
        state
    }
}

impl Revoked {
    /// Tells whether a token with these claims is refused. To revoke a user is to
    /// revoke his profiles: an operator of the same name keeps his admin token,
    /// which is revoked by itself, by its batch or by its key.
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
    /// Returns how many uses are left; `None` if any number is.
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

/// Tells whether bucket number `bucket`, `width` seconds wide, ended at least
/// `kept` seconds before `log_time`.
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
