//! Whether a node could grant a use now, and why not.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Why nothing can be granted now; in the order in which it is looked for.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Unready {
    /// The log could not be written.
    #[error("the log failed: {0}")]
    Log(String),
    /// The other nodes do not take this one for a member.
    #[error("the cluster refuses this node: {0}")]
    Refused(String),
    /// The engine, or the state that it builds, has stopped.
    #[error("the ledger has stopped: {0}")]
    Stopped(String),
    /// The voters are electing a leader, or cannot.
    #[error("no leader is known, and this node has {0}")]
    NoLeader(Staleness),
    /// What this node knows is too old.
    #[error("this node has {0}")]
    Stale(Staleness),
}

impl Unready {
    /// Says it to anybody who asks: without paths, nodes, and what the system said.
    #[must_use]
    pub fn in_public(&self) -> String {
        match self {
            Self::Log(_) => "the log failed".to_owned(),
            Self::Refused(_) => "the cluster refuses this node".to_owned(),
            Self::Stopped(_) => "the ledger has stopped".to_owned(),
            Self::NoLeader(_) | Self::Stale(_) => self.to_string(),
        }
    }
}

/// How old what a node knows is. Shown, it goes on from "this node has".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Staleness {
    /// How long ago all that was committed had come here; `None` if that was not
    /// so since the start. Zero for a node that is alone.
    pub age: Option<Duration>,
    /// How old it may be, with equality.
    pub max: Duration,
}

impl Staleness {
    /// Tells whether it is too old to vouch for.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age.is_none_or(|age| age > self.max)
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up: what is over the limit must not look equal to it.
        let seconds = |time: Duration| time.as_millis().div_ceil(1_000);
        match self.age {
            Some(age) => write!(f, "not heard from a majority for {} s", seconds(age))?,
            None => f.write_str("not heard from a majority since its start")?,
        }
        write!(f, " (at most {} s)", seconds(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staleness_is_told_in_numbers_and_the_limit_is_not_over_itself() {
        let max = Duration::from_secs(10);
        let of = |age| Staleness { age, max };
        let ms = Duration::from_millis;
        for (age, stale, words) in [
            (Some(ms(10_000)), false, "not heard from a majority for 10 s (at most 10 s)"),
            (Some(ms(10_001)), true, "not heard from a majority for 11 s (at most 10 s)"),
            (None, true, "not heard from a majority since its start (at most 10 s)"),
        ] {
            assert_eq!(of(age).is_stale(), stale);
            assert_eq!(of(age).to_string(), words);
        }
        let why = Unready::NoLeader(of(Some(ms(2_500)))).in_public();
        let words = "no leader is known, and this node has not heard from a majority for 3 s \
                     (at most 10 s)";
        assert_eq!(why, words);
    }

    #[test]
    fn the_public_is_told_no_path_and_no_node() {
        for why in [
            Unready::Log("/var/lib/jeton".to_owned()),
            Unready::Refused("node 3f2a".to_owned()),
            Unready::Stopped("/var/lib/jeton".to_owned()),
        ] {
            let said = why.in_public();
            assert!(why.to_string().starts_with(&said) && !said.contains('/'), "{said}");
            assert!(!said.contains("3f2a"), "{said}");
        }
    }
}
