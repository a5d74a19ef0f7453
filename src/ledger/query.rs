//! Lists of tokens: the query, and the tokens that match it. Pure.
//!
//! A list may have to look at all tokens, but it copies only those of the page.

use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{State, TokenUse};
use crate::token::{Batch, KeyId, Nonce, ProfileKind, TokenId, UnixSeconds, UserName};

/// The most digits of the seconds in a cursor. Such a number always fits into 64 bits.
const SECONDS_LEN_MAX: usize = 19;

/// Which tokens to list. The default is the first [`TokenQuery::LIMIT`] of all live ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenQuery {
    /// Only those of this user.
    pub user: Option<UserName>,
    /// Only those of this kind.
    pub kind: Option<ProfileKind>,
    /// Only those in these states.
    pub state: StateFilter,
    /// Only those of this batch.
    pub batch: Option<Batch>,
    /// Only those after this one in the list.
    pub after: Option<Cursor>,
    /// At most this many.
    pub limit: usize,
}

/// The state of a token that has not expired.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// It was never used. An unlimited token is not counted and stays in this state.
    Unused,
    /// It was used and has uses left.
    InUse,
    /// All its uses are spent.
    UsedUp,
    /// It, its batch, its user or its key is revoked.
    Revoked,
}

/// Which states to list.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StateFilter {
    /// Those that can still deliver a profile: unused and in use.
    #[default]
    Live,
    /// This one.
    Only(TokenState),
    /// All four.
    All,
}

/// A position in the list, which is sorted by expiry, then key id, then nonce. It stays valid when
/// tokens are added or removed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cursor {
    expires_at: UnixSeconds,
    token: TokenId,
}

/// One page of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenPage {
    /// The tokens, ordered by expiry.
    pub tokens: Vec<ListedToken>,
    /// Where the next page starts, if there is one.
    pub next: Option<Cursor>,
    /// How many tokens the whole list has.
    pub total: usize,
}

/// A token in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedToken {
    /// The token and its uses.
    pub token: TokenUse,
    /// Its state.
    pub state: TokenState,
}

impl TokenQuery {
    /// The default page size.
    pub const LIMIT: usize = 100;

    fn matches(&self, token: &TokenUse) -> bool {
        let record = &token.record;
        self.user.as_ref().is_none_or(|user| record.user == *user)
            && self.kind.is_none_or(|kind| record.kind == kind)
            && self.batch.is_none_or(|batch| record.token.nonce.batch() == batch)
    }
}

impl Default for TokenQuery {
    fn default() -> Self {
        Self {
            user: None,
            kind: None,
            state: StateFilter::default(),
            batch: None,
            after: None,
            limit: Self::LIMIT,
        }
    }
}

impl State {
    /// Lists the known tokens that match `query`, without those that have expired at `now` or by
    /// the log's time, and those issued before this ledger began.
    #[must_use]
    pub fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        let now = now.max(self.log_time());
        let matching = self.shards().flat_map(|shard| shard.values()).filter(|token| {
            now < token.record.expires_at
                && self.born_at() <= token.record.issued_at
                && query.matches(token)
                && query.state.admits(self.state_of(token))
        });
        // One more than the page holds shows that there is a next page.
        let kept = query.limit.saturating_add(1);
        let mut total = 0;
        let mut first = BinaryHeap::new();
        for token in matching {
            total += 1;
            let cursor = Cursor::of(token);
            if query.after.is_none_or(|after| after < cursor) {
                first.push(cursor);
                if first.len() > kept {
                    first.pop();
                }
            }
        }
        let mut page = first.into_sorted_vec();
        let has_next = page.len() > query.limit;
        page.truncate(query.limit);
        let next = page.last().copied().filter(|_last| has_next);
        let tokens = page.iter().filter_map(|cursor| self.token(cursor.token));
        let tokens = tokens.map(|token| self.listed(token)).collect();
        TokenPage { tokens, next, total }
    }

    fn listed(&self, token: &TokenUse) -> ListedToken {
        ListedToken { token: token.clone(), state: self.state_of(token) }
    }

    fn state_of(&self, token: &TokenUse) -> TokenState {
        if self.is_revoked(&token.record) {
            TokenState::Revoked
        } else if token.uses_left() == Some(0) {
            TokenState::UsedUp
        } else if token.used > 0 {
            TokenState::InUse
        } else {
            TokenState::Unused
        }
    }
}

impl TokenState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Unused, Self::InUse, Self::UsedUp, Self::Revoked];

    /// Returns its word in the API and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::InUse => "in-use",
            Self::UsedUp => "used-up",
            Self::Revoked => "revoked",
        }
    }
}

impl StateFilter {
    /// All filters.
    pub const ALL: [Self; 6] = [
        Self::Live,
        Self::Only(TokenState::Unused),
        Self::Only(TokenState::InUse),
        Self::Only(TokenState::UsedUp),
        Self::Only(TokenState::Revoked),
        Self::All,
    ];

    /// Returns its word: that of its state, `live` or `all`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Only(state) => state.as_str(),
            Self::All => "all",
        }
    }

    fn admits(self, state: TokenState) -> bool {
        match self {
            Self::Live => matches!(state, TokenState::Unused | TokenState::InUse),
            Self::Only(wanted) => state == wanted,
            Self::All => true,
        }
    }
}

/// Reads the word for a filter.
impl FromStr for StateFilter {
    type Err = StateFilterError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|filter| filter.as_str() == word).ok_or(StateFilterError)
    }
}

/// The error for a word that is not a filter by state.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected live, unused, in-use, used-up, revoked or all")]
pub struct StateFilterError;

impl Cursor {
    fn of(token: &TokenUse) -> Self {
        Self { expires_at: token.record.expires_at, token: token.record.token }
    }
}

/// Writes `SECONDS.KEYID.NONCE`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expires_at, token: TokenId { key_id, nonce } } = self;
        write!(f, "{}.{key_id}.{nonce}", expires_at.get())
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seconds, token) = text.split_once('.').ok_or(CursorError)?;
        let (key_id, nonce) = token.split_once('.').ok_or(CursorError)?;
        let token = TokenId {
            key_id: key_id.parse::<KeyId>().map_err(|_| CursorError)?,
            nonce: nonce.parse::<Nonce>().map_err(|_| CursorError)?,
        };
        let is_number =
            seconds.len() <= SECONDS_LEN_MAX && seconds.bytes().all(|digit| digit.is_ascii_digit());
        let expires_at = seconds.parse().ok().filter(|_| is_number).ok_or(CursorError)?;
        Ok(Self { expires_at: UnixSeconds::new(expires_at), token })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// The error for text that is not a cursor.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a cursor: expected the `next` of a page")]
pub struct CursorError;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::ledger::{Command, Entry, Note, RequestId, Revocation, Spend, TokenRecord};
    use crate::token::UseLimit;

    const BORN: u64 = 1_000_000;

    fn record(number: u8, uses: u32) -> TokenRecord {
        let nonce = Nonce::new(Batch([number % 2; 4]), [number; 12]);
        TokenRecord {
            token: TokenId { key_id: KeyId([1; 4]), nonce },
            kind: if number < 5 { ProfileKind::UserLocked } else { ProfileKind::ServerLocked },
            user: UserName::new(format!("user{}", number % 3)).unwrap(),
            issued_at: UnixSeconds::new(BORN),
            // Pairs with the same expiry: the order must not depend on it alone.
            expires_at: UnixSeconds::new(BORN + 1_000 - u64::from(number / 2)),
            uses: NonZeroU32::new(uses).map_or(UseLimit::Unlimited, UseLimit::Limited),
        }
    }

    fn apply(state: &mut State, command: Command) {
        state.apply(&Entry { timestamp: UnixSeconds::new(BORN + 1), commands: vec![command] });
    }

    fn spend(state: &mut State, record: &TokenRecord, request: u8) {
        let UseLimit::Limited(max) = record.uses else { panic!("not counted") };
        let TokenRecord { token, kind, user, issued_at, expires_at, .. } = record.clone();
        let request_id = RequestId([request; 16]);
        let spend = Spend { token, max, kind, user, issued_at, expires_at, request_id };
        apply(state, Command::Spend(spend));
    }

    /// Ten recorded tokens: 1 in use, 2 used up, 3 revoked, the others unused.
    fn ten() -> State {
        let mut state = State::new(UnixSeconds::new(BORN));
        for number in 0..10 {
            let record = record(number, u32::from(number));
            apply(&mut state, Command::Record { record, note: Note::default() });
        }
        spend(&mut state, &record(5, 5), 1);
        spend(&mut state, &record(1, 1), 2);
        spend(&mut state, &record(2, 2), 3);
        spend(&mut state, &record(2, 2), 4);
        let nonce = record(3, 3).token.nonce;
        apply(&mut state, Command::Revoke(Revocation::Token { nonce, expires_at: None }));
        state
    }

    fn numbers(page: &TokenPage) -> Vec<u8> {
        page.tokens.iter().map(|listed| listed.token.record.token.nonce.0[15]).collect()
    }

    fn list(state: &State, query: &TokenQuery) -> Vec<u8> {
        numbers(&state.tokens(query, UnixSeconds::new(BORN + 2)))
    }

    #[test]
    fn each_filter_lists_the_tokens_in_its_states() {
        let state = ten();
        for (word, expected) in [
            ("live", vec![8, 9, 6, 7, 4, 5, 0]),
            ("unused", vec![8, 9, 6, 7, 4, 0]),
            ("in-use", vec![5]),
            ("used-up", vec![2, 1]),
            ("revoked", vec![3]),
            ("all", vec![8, 9, 6, 7, 4, 5, 2, 3, 0, 1]),
        ] {
            let query = TokenQuery { state: word.parse().unwrap(), ..TokenQuery::default() };
            assert_eq!(list(&state, &query), expected, "{word}");
        }
        assert_eq!("Live".parse::<StateFilter>(), Err(StateFilterError));
    }

    #[test]
    fn every_word_parses_and_is_in_the_error_message() {
        for state in TokenState::ALL {
            let json = format!("\"{}\"", state.as_str());
            assert_eq!(serde_json::to_string(&state).unwrap(), json);
            assert_eq!(serde_json::from_str::<TokenState>(&json).unwrap(), state);
        }
        for filter in StateFilter::ALL {
            assert_eq!(filter.as_str().parse(), Ok(filter));
            assert!(StateFilterError.to_string().contains(filter.as_str()));
        }
    }

    #[test]
    fn combined_filters_narrow_the_list() {
        let state = ten();
        let all = TokenQuery { state: StateFilter::All, ..TokenQuery::default() };
        let user = Some(UserName::new("user0").unwrap());
        let query = TokenQuery { user, ..all };
        assert_eq!(list(&state, &query), [9, 6, 3, 0]);
        let query = TokenQuery { batch: Some(Batch([1; 4])), ..query };
        assert_eq!(list(&state, &query), [9, 3]);
        let query = TokenQuery { kind: Some(ProfileKind::ServerLocked), ..query };
        assert_eq!(list(&state, &query), [9]);
    }

    #[test]
    fn joined_pages_equal_the_whole_list() {
        let state = ten();
        for limit in 1..=11 {
            let mut query = TokenQuery { state: StateFilter::All, limit, ..TokenQuery::default() };
            let mut joined = Vec::new();
            loop {
                let page = state.tokens(&query, UnixSeconds::new(BORN));
                assert_eq!(page.total, 10);
                assert!(page.tokens.len() <= limit);
                joined.extend(numbers(&page));
                let Some(next) = page.next else { break };
                query.after = Some(next.to_string().parse().unwrap());
            }
            assert_eq!(joined, [8, 9, 6, 7, 4, 5, 2, 3, 0, 1], "limit {limit}");
        }
    }

    #[test]
    fn omits_tokens_that_have_expired_or_are_older_than_the_ledger() {
        let mut state = ten();
        let all = TokenQuery { state: StateFilter::All, ..TokenQuery::default() };
        let page = state.tokens(&all, UnixSeconds::new(BORN + 1_000 - 2));
        assert_eq!(numbers(&page), [2, 3, 0, 1]);
        let old = TokenRecord { issued_at: UnixSeconds::new(BORN - 1), ..record(20, 1) };
        apply(&mut state, Command::Record { record: old, note: Note::default() });
        assert_eq!(list(&state, &all).len(), 10);
    }

    #[test]
    fn refuses_other_spellings_of_a_cursor() {
        let good = "7.00000001.AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(good.parse::<Cursor>().unwrap().to_string(), good);
        for bad in ["", "7", "7.00000001", "+7.00000001.AAAAAAAAAAAAAAAAAAAAAA", "7.1.A"] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad}");
        }
    }
}
