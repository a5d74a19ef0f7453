//! People who redeem links at any node while the nodes fail, and what has to be
//! true of it at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::spend;
use super::world::World;
use crate::ledger::{Ledger as _, LedgerError, Spend, SpendRefusal, State};

/// What the people were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<BTreeMap<u32, Wish>>>);

/// One wish: to use a token once.
#[derive(Clone, Debug)]
struct Wish {
    spend: Spend,
    granted: BTreeSet<u32>,
    refused: bool,
    unknown: bool,
}

impl Told {
    /// Uses tokens at random nodes until `count` wishes were made. Who does not
    /// hear what came of a wish asks again, at another node, as the same wish.
    pub(super) async fn redeem(&self, world: &World, first: u32, count: u32) {
        for request in first..first + count {
            let number = u8::try_from(world.roll(40)).unwrap();
            let wish = spend(number, 1 + u32::from(number % 3), request);
            for _ in 0..3 {
                let ids = world.ids();
                let node = ids[world.roll(ids.len())];
                let Some(ledger) = world.running(node) else { continue };
                let answer = ledger.spend(wish.clone()).await;
                drop(ledger);
                let over = !matches!(answer, Err(LedgerError::OutcomeUnknown(_)));
                let answer = answer.map(|answer| answer.map(|grant| grant.used()));
                self.note(request, &wish, &answer);
                if over {
                    break;
                }
            }
            sleep(Duration::from_millis(world.roll(50) as u64)).await;
        }
    }

    fn note(
        &self,
        request: u32,
        spend: &Spend,
        answer: &Result<Result<u32, SpendRefusal>, LedgerError>,
    ) {
        let mut told = self.0.lock().unwrap();
        let wish = told.entry(request).or_insert_with(|| Wish {
            spend: spend.clone(),
            granted: BTreeSet::new(),
            refused: false,
            unknown: false,
        });
        match answer {
            Ok(Ok(used)) => drop(wish.granted.insert(*used)),
            Ok(Err(SpendRefusal::UsedUp)) => wish.refused = true,
            Ok(Err(refusal)) => panic!("{refusal:?}"),
            Err(LedgerError::OutcomeUnknown(_)) => wish.unknown = true,
            Err(LedgerError::Unavailable(_) | LedgerError::Overloaded) => {}
        }
    }

    pub(super) fn granted(&self) -> usize {
        self.0.lock().unwrap().values().filter(|wish| !wish.granted.is_empty()).count()
    }

    /// Checks what was told against what the ledger counted.
    pub(super) fn check(&self, state: &State) {
        let told = self.0.lock().unwrap();
        let mut by_token: BTreeMap<_, Vec<&Wish>> = BTreeMap::new();
        for (request, wish) in told.iter() {
            assert!(wish.granted.len() <= 1, "wish {request} has two verdicts: {wish:?}");
            assert!(wish.granted.is_empty() || !wish.refused, "wish {request}: {wish:?}");
            by_token.entry(wish.spend.token).or_default().push(wish);
        }
        for (token, wishes) in by_token {
            let max = wishes[0].spend.max.get();
            let used = state.token(token).map_or(0, |token| token.used);
            let grants: Vec<u32> = wishes.iter().flat_map(|w| w.granted.clone()).collect();
            let distinct: BTreeSet<u32> = grants.iter().copied().collect();
            let unknown = wishes.iter().filter(|w| w.granted.is_empty() && w.unknown).count();
            assert!(used <= max, "{token:?} was used {used} times of {max}");
            assert_eq!(distinct.len(), grants.len(), "{token:?}: one use was granted twice");
            assert!(distinct.iter().all(|n| *n <= used), "{token:?}: a grant was not counted");
            assert!(grants.len() <= used as usize, "{token:?}: {grants:?} of {used}");
            assert!(
                used as usize <= grants.len() + unknown,
                "{token:?}: {used} were counted, {} granted, {unknown} unknown",
                grants.len()
            );
            let refused = wishes.iter().any(|wish| wish.refused);
            assert!(!refused || used == max, "{token:?}: refused while {used} of {max} were used");
        }
    }
}
