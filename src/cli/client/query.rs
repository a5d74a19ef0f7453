//! Which of the tokens that the ledger knows are meant.

use clap::ValueEnum;

use super::escaped;
use crate::token::{Batch, ProfileKind, UserName};

/// Tokens that have all of this in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenQuery {
    /// Whose profile they give.
    pub user: Option<UserName>,
    /// What kind of profile.
    pub profile_type: Option<ProfileKind>,
    /// What became of them.
    pub state: StateFilter,
    /// The mint run they came from.
    pub batch: Option<Batch>,
}

/// What became of the tokens that are meant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum StateFilter {
    /// Those that may still be used: unused or in use
    #[default]
    Live,
    /// Never used
    Unused,
    /// Used, with uses left
    InUse,
    /// Without a use left
    UsedUp,
    /// Revoked
    Revoked,
    /// All that have not expired
    All,
}

impl StateFilter {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Unused => "unused",
            Self::InUse => "in-use",
            Self::UsedUp => "used-up",
            Self::Revoked => "revoked",
            Self::All => "all",
        }
    }
}

impl TokenQuery {
    /// Returns the part of a URL's query that says it, with an ampersand before
    /// each key.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("&state={}", self.state.as_str());
        if let Some(user) = &self.user {
            text += &format!("&user={}", escaped(user.as_str()));
        }
        if let Some(kind) = self.profile_type {
            text += &format!("&profile_type={kind}");
        }
        if let Some(batch) = self.batch {
            text += &format!("&batch={batch}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_said_in_the_words_of_the_api() {
        assert_eq!(TokenQuery::default().to_text(), "&state=live");
        let query = TokenQuery {
            user: Some(UserName::new("a&b=c#d").unwrap()),
            profile_type: Some(ProfileKind::ServerLocked),
            state: StateFilter::UsedUp,
            batch: Some(Batch([10, 27, 44, 61])),
        };
        assert_eq!(
            query.to_text(),
            "&state=used-up&user=a%26b%3Dc%23d&profile_type=server-locked&batch=0a1b2c3d"
        );
        for state in StateFilter::value_variants() {
            let typed = state.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), state.as_str());
        }
    }
}
