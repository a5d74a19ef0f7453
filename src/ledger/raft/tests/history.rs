//! People who redeem and revoke links at any node while the nodes fail, and what
//! has to be true of what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{Options, RaftLedger};
use super::world::{NOW, World};
use super::{spend, token_of};
use crate::ledger::{Ledger as _, LedgerError, Revocation, Spend, SpendRefusal, State};
use crate::token::{ProfileKind, UserName, VerifiedToken};

/// How many links all people share. Each has one more of its own, for `autologin`.
const LINKS: u8 = 40;

/// How many people there are.
pub(super) const PEOPLE: u8 = 4;

/// How often an `autologin` link may be used: oftener than anybody tries.
const AUTOLOGIN_MAX: u32 = 200;

/// How long the news of a revocation may be under way, on the worst wire.
const WIRE_MAX: Duration = Duration::from_millis(100);

/// How far the time of the ledger may come in one night, in seconds, whatever the
/// clock of one node says: the links live longer.
const AHEAD_MAX: u64 = 1_200;

static TOKENS: LazyLock<Vec<VerifiedToken>> =
    LazyLock::new(|| (0..LINKS + PEOPLE).map(|number| token_of(&link(number, 0))).collect());

/// The wish to use a link once.
fn link(number: u8, request: u32) -> Spend {
    match number.checked_sub(LINKS) {
        None => spend(number, 1 + u32::from(number % 3), request),
        Some(person) => Spend {
            kind: ProfileKind::Autologin,
            user: user(person),
            ..spend(number, AUTOLOGIN_MAX, request)
        },
    }
}

fn user(person: u8) -> UserName {
    UserName::new(format!("person-{person}")).unwrap()
}

/// What the people were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Counts what happens: what has a lower number came before.
    step: u64,
    wishes: BTreeMap<u32, Wish>,
    revoked: BTreeMap<u8, Revoked>,
    /// Who may have `autologin`, unless that is not known.
    permissions: BTreeMap<u8, Option<bool>>,
    /// At which node which link was seen to be revoked.
    seen: BTreeSet<(u64, u8)>,
}

/// One wish: to use a link once.
#[derive(Debug)]
struct Wish {
    number: u8,
    asked: u64,
    granted: BTreeSet<u32>,
    refused: Option<SpendRefusal>,
    unknown: bool,
}

/// A link that somebody wanted to be revoked.
#[derive(Debug, Default)]
struct Revoked {
    /// When a node first said that it is.
    done: Option<(u64, Instant)>,
}

/// How much was told, to see that a story tells something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sum {
    pub(super) granted: usize,
    pub(super) revoked: usize,
    pub(super) refused_as_revoked: usize,
    pub(super) refused_as_denied: usize,
    pub(super) autologin_granted: usize,
}

impl Told {
    /// Lets a person use links until `count` wishes were made, and now and then
    /// revoke one, or allow or deny itself `autologin`.
    pub(super) async fn live(&self, world: &World, person: u8, count: u32) {
        let first = u32::from(person) * 1_000;
        for request in first..first + count {
            match world.roll(10) {
                0 => self.revoke(world).await,
                1 => self.permit(world, person).await,
                _ => {}
            }
            let any = u8::try_from(world.roll(LINKS.into())).unwrap();
            let number = if world.percent(15) { LINKS + person } else { any };
            self.redeem(world, number, request).await;
            sleep(Duration::from_millis(world.roll(50) as u64)).await;
        }
    }

    /// Who does not hear what came of a wish asks again, at another node, as the
    /// same wish.
    async fn redeem(&self, world: &World, number: u8, request: u32) {
        self.begin(request, number);
        for _ in 0..3 {
            let Some((node, ledger)) = any_node(world) else { continue };
            self.look(node, &ledger, number);
            let answer = ledger.spend(link(number, request)).await;
            drop(ledger);
            let over = !matches!(answer, Err(LedgerError::OutcomeUnknown(_)));
            self.note(request, &answer.map(|answer| answer.map(|grant| grant.used())));
            if over {
                return;
            }
        }
    }

    async fn revoke(&self, world: &World) {
        let number = u8::try_from(world.roll(LINKS.into())).unwrap();
        let Some((_, ledger)) = any_node(world) else { return };
        let Spend { token, expires_at, .. } = link(number, 0);
        let expires_at = (world.roll(2) == 0).then_some(expires_at);
        self.inner().revoked.entry(number).or_default();
        let revoking = ledger.revoke(Revocation::Token { nonce: token.nonce, expires_at });
        if revoking.await.is_ok() {
            let mut told = self.inner();
            let step = told.next_step();
            let revoked = told.revoked.entry(number).or_default();
            revoked.done.get_or_insert_with(|| (step, Instant::now()));
        }
    }

    async fn permit(&self, world: &World, person: u8) {
        let autologin = world.roll(2) == 0;
        let Some((_, ledger)) = any_node(world) else { return };
        let answer = ledger.permit(user(person), autologin).await;
        let mut told = self.inner();
        let known = told.permissions.entry(person).or_insert(Some(false));
        match answer {
            Ok(()) => *known = known.map(|_| autologin),
            // It may be carried out at any time: from now on nobody can tell.
            Err(LedgerError::OutcomeUnknown(_)) => *known = None,
            Err(LedgerError::Unavailable(_) | LedgerError::Overloaded) => {}
        }
    }

    /// Looks at how a link stands, as a node does before it spends a use. A node
    /// that is not sure says so; one that is may be a little behind.
    fn look(&self, node: u64, ledger: &RaftLedger, number: u8) {
        let Ok(standing) = ledger.standing(&TOKENS[usize::from(number)]) else { return };
        let mut told = self.inner();
        if standing.revoked {
            assert!(told.revoked.contains_key(&number), "nobody has revoked link {number}");
            told.seen.insert((node, number));
            return;
        }
        assert!(
            !told.seen.contains(&(node, number)),
            "node {node} forgot that {number} is revoked"
        );
        if let Some((_, done)) = told.revoked.get(&number).and_then(|revoked| revoked.done) {
            let age_max = Options::default().max_staleness + WIRE_MAX;
            assert!(done.elapsed() <= age_max, "node {node} does not know of link {number}");
        }
    }

    fn begin(&self, request: u32, number: u8) {
        let mut told = self.inner();
        let asked = told.next_step();
        let wish = Wish { number, asked, granted: BTreeSet::new(), refused: None, unknown: false };
        told.wishes.insert(request, wish);
    }

    fn note(&self, request: u32, answer: &Result<Result<u32, SpendRefusal>, LedgerError>) {
        let mut told = self.inner();
        let Inner { wishes, revoked, permissions, .. } = &mut *told;
        let wish = wishes.get_mut(&request).unwrap();
        let revoked = revoked.get(&wish.number);
        let permitted = match wish.number.checked_sub(LINKS) {
            Some(person) => permissions.get(&person).copied().unwrap_or(Some(false)),
            None => None,
        };
        match answer {
            Ok(Ok(used)) => {
                let done = revoked.and_then(|revoked| revoked.done);
                let is_late = done.is_some_and(|(step, _)| step < wish.asked);
                assert!(!is_late, "granted after it was revoked: {wish:?}, {done:?}");
                assert_ne!(permitted, Some(false), "granted without permission: {wish:?}");
                wish.granted.insert(*used);
            }
            Ok(Err(refusal)) => {
                match refusal {
                    SpendRefusal::UsedUp => {}
                    SpendRefusal::Revoked => assert!(revoked.is_some(), "not revoked: {wish:?}"),
                    SpendRefusal::AutologinDenied => {
                        assert!(wish.number >= LINKS, "it is no autologin: {wish:?}");
                        assert_ne!(permitted, Some(true), "a permission was lost: {wish:?}");
                    }
                    SpendRefusal::BeforeLedger
                    | SpendRefusal::Expired
                    | SpendRefusal::ClaimsMismatch => panic!("{refusal:?}: {wish:?}"),
                }
                wish.refused = Some(*refusal);
            }
            Err(LedgerError::OutcomeUnknown(_)) => wish.unknown = true,
            Err(LedgerError::Unavailable(_) | LedgerError::Overloaded) => {}
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(super) fn sum(&self) -> Sum {
        let told = self.inner();
        let count = |of: &dyn Fn(&Wish) -> bool| told.wishes.values().filter(|w| of(w)).count();
        let refused = |refusal| count(&|wish| wish.refused == Some(refusal));
        Sum {
            granted: count(&|wish| !wish.granted.is_empty()),
            revoked: told.revoked.values().filter(|revoked| revoked.done.is_some()).count(),
            refused_as_revoked: refused(SpendRefusal::Revoked),
            refused_as_denied: refused(SpendRefusal::AutologinDenied),
            autologin_granted: count(&|wish| wish.number >= LINKS && !wish.granted.is_empty()),
        }
    }

    /// Checks what was told against what the ledger holds in the end.
    pub(super) fn check(&self, state: &State) {
        let told = self.inner();
        // A leader's clock may be slow, and the night short.
        let ahead = state.log_time().get().saturating_sub(NOW);
        assert!(ahead < AHEAD_MAX, "the ledger was carried {ahead} s into the future");
        let mut by_number: BTreeMap<u8, Vec<&Wish>> = BTreeMap::new();
        for (request, wish) in &told.wishes {
            assert!(wish.granted.len() <= 1, "wish {request} has two verdicts: {wish:?}");
            assert!(wish.granted.is_empty() || wish.refused.is_none(), "wish {request}: {wish:?}");
            by_number.entry(wish.number).or_default().push(wish);
        }
        for (number, wishes) in by_number {
            check_count(&link(number, 0), &wishes, state);
        }
        for number in 0..LINKS {
            let token = &TOKENS[usize::from(number)];
            let is_revoked = state.standing(token.id(), token.claims()).revoked;
            let revoked = told.revoked.get(&number);
            assert!(!is_revoked || revoked.is_some(), "nobody has revoked link {number}");
            let is_lost = !is_revoked && revoked.is_some_and(|revoked| revoked.done.is_some());
            assert!(!is_lost, "the revocation of link {number} was lost");
        }
        for (person, known) in &told.permissions {
            let is = state.autologin_users().contains(&user(*person));
            assert!(known.is_none_or(|known| known == is), "person {person}: {known:?}, {is}");
        }
    }
}

impl Inner {
    const fn next_step(&mut self) -> u64 {
        self.step += 1;
        self.step
    }
}

fn any_node(world: &World) -> Option<(u64, Arc<RaftLedger>)> {
    let ids = world.ids();
    let node = ids[world.roll(ids.len())];
    world.running(node).map(|ledger| (node, ledger))
}

/// Checks the wishes for one link against what was counted of it.
fn check_count(link: &Spend, wishes: &[&Wish], state: &State) {
    let (token, max) = (link.token, link.max.get());
    let used = state.token(token).map_or(0, |token| token.used);
    let grants: Vec<u32> = wishes.iter().flat_map(|wish| wish.granted.clone()).collect();
    let distinct: BTreeSet<u32> = grants.iter().copied().collect();
    let unknown = wishes.iter().filter(|wish| wish.granted.is_empty() && wish.unknown).count();
    assert!(used <= max, "{token:?} was used {used} times of {max}");
    assert_eq!(distinct.len(), grants.len(), "{token:?}: one use was granted twice");
    assert!(distinct.iter().all(|n| *n <= used), "{token:?}: a grant was not counted");
    assert!(grants.len() <= used as usize, "{token:?}: {grants:?} of {used}");
    assert!(
        used as usize <= grants.len() + unknown,
        "{token:?}: {used} were counted, {} granted, {unknown} unknown",
        grants.len()
    );
    let is_used_up = wishes.iter().any(|wish| wish.refused == Some(SpendRefusal::UsedUp));
    assert!(!is_used_up || used == max, "{token:?}: refused while {used} of {max} were used");
}
