//! The bodies of the fuzz targets. Each function panics if a property does not hold for `data`.

use super::{Command, Entry, Outcome, State, TokenQuery, snapshot};
use crate::token::{UnixSeconds, UseLimit};

/// Decodes a snapshot: what decodes must encode to the same bytes each time.
pub fn snapshot(data: &[u8]) {
    let Ok(state) = snapshot::decode(data) else { return };
    let bytes = snapshot::encode(&state);
    let again = snapshot::decode(&bytes).map(|state| snapshot::encode(&state));
    assert_eq!(again, Ok(bytes), "a snapshot does not round-trip");
}

/// Applies entries, one after the other: no token exceeds its limit, time never goes back, and a
/// state restored from its snapshot behaves like the original.
pub fn replay(data: &[u8]) {
    let mut state = State::new(UnixSeconds::new(0));
    let mut rest = data;
    while let Ok((entry, remaining)) = postcard::take_from_bytes::<Entry>(rest) {
        if remaining.len() == rest.len() {
            break;
        }
        rest = remaining;
        let before = state.log_time();
        let mut restored = snapshot::decode(&snapshot::encode(&state))
            .unwrap_or_else(|error| panic!("a snapshot does not decode: {error}"));
        let outcomes = state.apply(&entry);
        assert_eq!(restored.apply(&entry), outcomes, "a restart changed a verdict");
        assert_eq!(snapshot::encode(&restored), snapshot::encode(&state));
        assert!(before <= state.log_time(), "time went back");
        check(&state, &entry, &outcomes);
    }
}

fn check(state: &State, entry: &Entry, outcomes: &[Outcome]) {
    assert_eq!(outcomes.len(), entry.commands.len());
    for (command, outcome) in entry.commands.iter().zip(outcomes) {
        match (command, outcome) {
            (Command::Spend(spend), Outcome::Granted { used }) => {
                assert!((1..=spend.max.get()).contains(used), "used beyond its limit");
            }
            (Command::Spend(_), Outcome::Refused(_)) => {}
            (Command::Spend(_), Outcome::Done) => panic!("a spend without a verdict"),
            (_, outcome) => assert_eq!(*outcome, Outcome::Done),
        }
    }
    let all = TokenQuery { limit: usize::MAX, ..TokenQuery::default() };
    for listed in state.tokens(&all, state.log_time()).tokens {
        if let UseLimit::Limited(max) = listed.token.record.uses {
            assert!(listed.token.used < max.get(), "a used-up token is listed as live");
        }
    }
}
