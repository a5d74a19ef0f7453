//! Whether a node can grant uses now, and why not.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Why a node cannot grant uses now, in the order of the checks.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Unready {
    /// A write to the log failed.
    #[error("the log failed: {0}")]
    Log(String),
    /// The other nodes reject this node.
    #[error("the cluster refuses this node: {0}")]
    Refused(String),
    /// The Raft engine or the state machine has stopped.
    #[error("the ledger has stopped: {0}")]
    Stopped(String),
    /// The voters have not elected a leader, or this node does not know it.
    #[error("no leader is known, and this node has {0}")]
    NoLeader(Staleness),
    /// What this node knows is too old.
    #[error("this node has {0}")]
    Stale(Staleness),
}

impl Unready {
    /// Returns the message for the public door: without paths, node ids and system errors.
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

/// The age of what a node knows. The text completes the sentence "this node has".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Staleness {
    /// How long ago this node last had everything that was committed; `None` if it has not since
    /// its start. Zero for a lone node.
    pub age: Option<Duration>,
    /// The greatest age at which the node still answers.
    pub max: Duration,
}

impl Staleness {
    /// Returns `true` if the age is greater than [`Staleness::max`] or unknown.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age.is_none_or(|age| age > self.max)
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up, so that an age over the limit never looks equal to it.
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
    fn staleness_shows_seconds_and_an_age_equal_to_the_limit_is_not_stale() {
        let max = Duration::from_secs(10);
        let of = |age| Staleness { age, max };
        let ms = Duration::from_millis;
        for (age, stale, text) in [
            (Some(ms(10_000)), false, "not heard from a majority for 10 s (at most 10 s)"),
            (Some(ms(10_001)), true, "not heard from a majority for 11 s (at most 10 s)"),
            (None, true, "not heard from a majority since its start (at most 10 s)"),
        ] {
            assert_eq!(of(age).is_stale(), stale);
            assert_eq!(of(age).to_string(), text);
        }
        let public = Unready::NoLeader(of(Some(ms(2_500)))).in_public();
        let text = "no leader is known, and this node has not heard from a majority for 3 s \
                    (at most 10 s)";
        assert_eq!(public, text);
    }

    #[test]
    fn the_public_text_has_no_path_and_no_node() {
        for unready in [
            Unready::Log("/var/lib/jeton".to_owned()),
            Unready::Refused("node 3f2a".to_owned()),
            Unready::Stopped("/var/lib/jeton".to_owned()),
        ] {
            let public = unready.in_public();
            assert!(unready.to_string().starts_with(&public) && !public.contains('/'), "{public}");
            assert!(!public.contains("3f2a"), "{public}");
        }
    }
}
