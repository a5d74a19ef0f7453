//! Lists of tokens: what is asked, and which tokens answer it. Pure.
//!
//! A list may have to look at all tokens, but it copies only those it shows.

use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{State, TokenUse};
use crate::token::{Batch, KeyId, Nonce, NonceError, ProfileKind, TokenId, UnixSeconds, UserName};

/// The most digits of the seconds in a cursor. Such a number always fits into 64 bits.
const SECONDS_LEN_MAX: usize = 19;

/// Which tokens are wanted. The default wants the first [`TokenQuery::LIMIT`] of
/// all that could still give a profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenQuery {
    /// Only those of this user.
    pub user: Option<UserName>,
    /// Only those of this kind.
    pub kind: Option<ProfileKind>,
    /// Only those that stand so.
    pub state: StateFilter,
    /// Only those of this batch.
    pub batch: Option<Batch>,
    /// Only those that come behind this one in the list.
    pub after: Option<Cursor>,
    /// At most this many.
    pub limit: usize,
}

/// How a token stands that has not expired.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// It was not used. An unlimited one is not counted and is always here.
    Unused,
    /// It was used, and has uses left.
    InUse,
    /// All its uses are spent.
    UsedUp,
    /// It, its batch, its user or its key is revoked.
    Revoked,
}

/// Which states are wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StateFilter {
    /// Those that can still give a profile: unused and in use.
    #[default]
    Live,
    /// This one.
    Only(TokenState),
    /// All four.
    All,
}

/// A place in the list, which is sorted by expiry, then key id, then nonce.
/// Tokens that come or go elsewhere do not move it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cursor {
    expires_at: UnixSeconds,
    token: TokenId,
}

/// A part of a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenPage {
    /// The tokens, those that expire first coming first.
    pub tokens: Vec<ListedToken>,
    /// Where the list goes on, if it does.
    pub next: Option<Cursor>,
    /// How many tokens the whole list has, whatever the page.
    pub total: usize,
}

/// A token in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedToken {
    /// What is known of it.
    pub token: TokenUse,
    /// How it stands.
    pub state: TokenState,
}

impl TokenQuery {
    /// How many tokens a page has if nobody says.
    pub const LIMIT: usize = 100;

    fn wants(&self, token: &TokenUse) -> bool {
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
    /// Lists the known tokens that `query` wants and that are not expired at
    /// `now`, nor by the log's time. One that was issued before this ledger
    /// gives no profile and is in no list.
    #[must_use]
    pub fn tokens(&self, query: &TokenQuery, now: UnixSeconds) -> TokenPage {
        let now = now.max(self.log_time());
        let wanted = self.shards().flat_map(|shard| shard.values()).filter(|token| {
            now < token.record.expires_at
                && self.born_at() <= token.record.issued_at
                && query.wants(token)
                && query.state.admits(self.state_of(token))
        });
        // One more than is shown tells whether the list goes on.
        let kept = query.limit.saturating_add(1);
        let mut total = 0;
        let mut first = BinaryHeap::new();
        for token in wanted {
            total += 1;
            let place = Cursor::of(token);
            if query.after.is_none_or(|after| after < place) {
                first.push(place);
                if first.len() > kept {
                    first.pop();
                }
            }
        }
        let mut places = first.into_sorted_vec();
        let goes_on = places.len() > query.limit;
        places.truncate(query.limit);
        let next = places.last().copied().filter(|_last| goes_on);
        let tokens = places.iter().filter_map(|place| self.token(place.token));
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

    /// Returns the word for it.
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

    /// Returns the word for it: that of its state, `live` or `all`.
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
    type Err = UnknownFilter;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|filter| filter.as_str() == word).ok_or(UnknownFilter)
    }
}

/// A word that is no filter by state.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("it is one of live, unused, in-use, used-up, revoked and all")]
pub struct UnknownFilter;

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
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (seconds, token) = text.split_once('.').ok_or(NoCursor)?;
        let (key_id, nonce) = token.split_once('.').ok_or(NoCursor)?;
        let no_cursor = |_: NonceError| NoCursor;
        let token = TokenId {
            key_id: key_id.parse::<KeyId>().map_err(no_cursor)?,
            nonce: nonce.parse::<Nonce>().map_err(no_cursor)?,
        };
        let is_number =
            seconds.len() <= SECONDS_LEN_MAX && seconds.bytes().all(|digit| digit.is_ascii_digit());
        let expires_at = seconds.parse().ok().filter(|_| is_number).ok_or(NoCursor)?;
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

/// A text that is no place in a list.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("it is no place in a list; take it as `next` gave it")]
pub struct NoCursor;

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
            // Two of a kind each: the order must not depend on expiry alone.
            expires_at: UnixSeconds::new(BORN + 1_000 - u64::from(number / 2)),
            uses: NonZeroU32::new(uses).map_or(UseLimit::Unlimited, UseLimit::Limited),
        }
    }

    fn apply(state: &mut State, command: Command) {
        state.apply(&Entry { stamp: UnixSeconds::new(BORN + 1), commands: vec![command] });
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
    fn a_state_admits_what_it_names() {
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
        assert_eq!("Live".parse::<StateFilter>(), Err(UnknownFilter));
    }

    #[test]
    fn every_word_is_read_back_and_named_where_none_fits() {
        for state in TokenState::ALL {
            let json = format!("\"{}\"", state.as_str());
            assert_eq!(serde_json::to_string(&state).unwrap(), json);
            assert_eq!(serde_json::from_str::<TokenState>(&json).unwrap(), state);
        }
        for filter in StateFilter::ALL {
            assert_eq!(filter.as_str().parse(), Ok(filter));
            assert!(UnknownFilter.to_string().contains(filter.as_str()));
        }
    }

    #[test]
    fn filters_work_together() {
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
    fn pages_joined_are_the_whole_list() {
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
    fn what_is_expired_or_older_than_the_ledger_is_in_no_list() {
        let mut state = ten();
        let all = TokenQuery { state: StateFilter::All, ..TokenQuery::default() };
        let page = state.tokens(&all, UnixSeconds::new(BORN + 1_000 - 2));
        assert_eq!(numbers(&page), [2, 3, 0, 1]);
        let old = TokenRecord { issued_at: UnixSeconds::new(BORN - 1), ..record(20, 1) };
        apply(&mut state, Command::Record { record: old, note: Note::default() });
        assert_eq!(list(&state, &all).len(), 10);
    }

    #[test]
    fn other_spellings_of_a_cursor_are_refused() {
        let good = "7.00000001.AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(good.parse::<Cursor>().unwrap().to_string(), good);
        for bad in ["", "7", "7.00000001", "+7.00000001.AAAAAAAAAAAAAAAAAAAAAA", "7.1.A"] {
            assert_eq!(bad.parse::<Cursor>(), Err(NoCursor), "{bad}");
        }
    }
}
