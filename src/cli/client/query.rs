//! Selects the tokens that a command lists.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::ledger::{StateFilter, TokenState};
use crate::percent;
use crate::token::{Batch, ProfileKind, UserName};

/// The conditions that a token must meet. The default is a token that may still be used.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenFilter {
    /// Only tokens of this user.
    pub user: Option<UserName>,
    /// Only tokens for this kind of profile.
    pub profile_type: Option<ProfileKind>,
    /// Only tokens in these states.
    pub state: StateFilter,
    /// Only tokens of this mint run.
    pub batch: Option<Batch>,
}

impl ValueEnum for StateFilter {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Live => "Unused or in use",
            Self::Only(TokenState::Unused) => "Never used",
            Self::Only(TokenState::InUse) => "Used, with uses left",
            Self::Only(TokenState::UsedUp) => "No uses left",
            Self::Only(TokenState::Revoked) => "Revoked",
            Self::All => "Every link that has not expired",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl TokenFilter {
    /// Returns it as a part of a URL's query, with an ampersand before each key.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("&state={}", self.state.as_str());
        if let Some(user) = &self.user {
            text += &format!("&user={}", percent::encode(user.as_str()));
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
    fn a_filter_becomes_query_keys_of_the_api() {
        assert_eq!(TokenFilter::default().to_text(), "&state=live");
        let filter = TokenFilter {
            user: Some(UserName::new("a&b=c#d").unwrap()),
            profile_type: Some(ProfileKind::ServerLocked),
            state: StateFilter::Only(TokenState::UsedUp),
            batch: Some(Batch([10, 27, 44, 61])),
        };
        assert_eq!(
            filter.to_text(),
            "&state=used-up&user=a%26b%3Dc%23d&profile_type=server-locked&batch=0a1b2c3d"
        );
    }
}
