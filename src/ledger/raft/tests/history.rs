//! The workload of a simulation run: clients that redeem and revoke links at any node. Their
//! history, which is every request and its response, is checked against the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{Options, RaftLedger};
use super::world::{NOW, World};
use super::{spend, token_of};
use crate::ledger::{Ledger as _, LedgerError, Revocation, Spend, SpendRefusal, State};
use crate::token::{ProfileKind, UserName, VerifiedToken};

/// The number of links that all clients share. Link `LINKS + n` is an `autologin` link that only
/// client `n` uses.
const LINKS: u8 = 40;

/// The number of clients.
pub(super) const CLIENTS: u8 = 4;

/// The use limit of an `autologin` link, which no client reaches.
const AUTOLOGIN_MAX: u32 = 200;

/// The longest round trip in a simulation run: 50 ms each way.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(100);

/// How far the ledger's time may advance in one run, in seconds, even if one clock is wrong. Links
/// live longer than this.
const ADVANCE_MAX: u64 = 1_200;

static TOKENS: LazyLock<Vec<VerifiedToken>> =
    LazyLock::new(|| (0..LINKS + CLIENTS).map(|number| token_of(&spend_link(number, 0))).collect());

/// Returns a request to use a link once.
fn spend_link(number: u8, request: u32) -> Spend {
    match number.checked_sub(LINKS) {
        None => spend(number, 1 + u32::from(number % 3), request),
        Some(client) => Spend {
            kind: ProfileKind::Autologin,
            user: user(client),
            ..spend(number, AUTOLOGIN_MAX, request)
        },
    }
}

fn user(client: u8) -> UserName {
    UserName::new(format!("client-{client}")).unwrap()
}

/// The requests of all clients and their responses. Clones are the same history.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientHistory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// A counter that orders requests and responses.
    step: u64,
    /// By request number.
    redemptions: BTreeMap<u32, Redemption>,
    /// The links that a client has asked to revoke, and when a node first confirmed that.
    revocations: BTreeMap<u8, Option<(u64, Instant)>>,
    /// Whether each client may have `autologin`; `None` if the outcome is unknown.
    permissions: BTreeMap<u8, Option<bool>>,
    /// The nodes that have reported a link as revoked, with the link.
    reported_revoked: BTreeSet<(u64, u8)>,
}

/// The attempts to use a link once, all with the same request id.
#[derive(Debug)]
struct Redemption {
    link: u8,
    began: u64,
    granted: BTreeSet<u32>,
    refused: Option<SpendRefusal>,
    unknown: bool,
}

/// The number of responses of each kind, to check that the runs cover all kinds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct ResponseCounts {
    pub(super) granted: usize,
    pub(super) revoked: usize,
    pub(super) refused_as_revoked: usize,
    pub(super) refused_as_denied: usize,
    pub(super) autologin_granted: usize,
}

impl ClientHistory {
    /// Runs a client that redeems `count` links, and at times revokes a link, or allows or denies
    /// its own `autologin`.
    pub(super) async fn run_client(&self, world: &World, client: u8, count: u32) {
        let first = u32::from(client) * 1_000;
        for request in first..first + count {
            match world.roll(10) {
                0 => self.revoke(world).await,
                1 => self.permit(world, client).await,
                _ => {}
            }
            let shared = u8::try_from(world.roll(LINKS.into())).unwrap();
            let number = if world.chance(15) { LINKS + client } else { shared };
            self.redeem(world, number, request).await;
            sleep(Duration::from_millis(world.roll(50) as u64)).await;
        }
    }

    /// Tries up to three times to use a link once, each time at any node and with the same request
    /// id, until the outcome is known.
    async fn redeem(&self, world: &World, number: u8, request: u32) {
        self.begin(request, number);
        for _ in 0..3 {
            let Some((node, ledger)) = random_node(world) else { continue };
            self.check_standing(node, &ledger, number);
            let response = ledger.spend(spend_link(number, request)).await;
            drop(ledger);
            let is_known = !matches!(response, Err(LedgerError::OutcomeUnknown(_)));
            self.record(request, &response.map(|verdict| verdict.map(|grant| grant.used())));
            if is_known {
                return;
            }
        }
    }

    async fn revoke(&self, world: &World) {
        let number = u8::try_from(world.roll(LINKS.into())).unwrap();
        let Some((_, ledger)) = random_node(world) else { return };
        let Spend { token, expires_at, .. } = spend_link(number, 0);
        let expires_at = (world.roll(2) == 0).then_some(expires_at);
        self.inner().revocations.entry(number).or_default();
        let revoking = ledger.revoke(Revocation::Token { nonce: token.nonce, expires_at });
        if revoking.await.is_ok() {
            let mut inner = self.inner();
            let step = inner.next_step();
            let confirmed = inner.revocations.entry(number).or_default();
            confirmed.get_or_insert_with(|| (step, Instant::now()));
        }
    }

    async fn permit(&self, world: &World, client: u8) {
        let autologin = world.roll(2) == 0;
        let Some((_, ledger)) = random_node(world) else { return };
        let response = ledger.permit(user(client), autologin).await;
        let mut inner = self.inner();
        let known = inner.permissions.entry(client).or_insert(Some(false));
        match response {
            Ok(()) => *known = known.map(|_| autologin),
            // It may still be applied at any time, so the permission stays unknown.
            Err(LedgerError::OutcomeUnknown(_)) => *known = None,
            Err(LedgerError::Unavailable(_) | LedgerError::Overloaded) => {}
        }
    }

    /// Checks the standing of a link at a node. A node that is not fresh returns an error; the
    /// standing at a fresh node may be a little old.
    fn check_standing(&self, node: u64, ledger: &RaftLedger, number: u8) {
        let Ok(standing) = ledger.standing(&TOKENS[usize::from(number)]) else { return };
        let mut inner = self.inner();
        if standing.revoked {
            assert!(inner.revocations.contains_key(&number), "no client revoked link {number}");
            inner.reported_revoked.insert((node, number));
            return;
        }
        assert!(
            !inner.reported_revoked.contains(&(node, number)),
            "node {node} forgot that link {number} is revoked"
        );
        if let Some(Some((_, confirmed))) = inner.revocations.get(&number) {
            let age_max = Options::default().max_staleness + ROUND_TRIP_MAX;
            assert!(
                confirmed.elapsed() <= age_max,
                "node {node} does not know that link {number} is revoked"
            );
        }
    }

    fn begin(&self, request: u32, link: u8) {
        let mut inner = self.inner();
        let began = inner.next_step();
        let granted = BTreeSet::new();
        let redemption = Redemption { link, began, granted, refused: None, unknown: false };
        inner.redemptions.insert(request, redemption);
    }

    /// Records a response, and checks it against earlier ones.
    fn record(&self, request: u32, response: &Result<Result<u32, SpendRefusal>, LedgerError>) {
        let mut inner = self.inner();
        let Inner { redemptions, revocations, permissions, .. } = &mut *inner;
        let redemption = redemptions.get_mut(&request).unwrap();
        let revocation = revocations.get(&redemption.link);
        let permitted = match redemption.link.checked_sub(LINKS) {
            Some(client) => permissions.get(&client).copied().unwrap_or(Some(false)),
            None => None,
        };
        match response {
            Ok(Ok(used)) => {
                let confirmed = revocation.copied().flatten();
                let is_late = confirmed.is_some_and(|(step, _)| step < redemption.began);
                assert!(!is_late, "granted after a revocation: {redemption:?}, {confirmed:?}");
                assert_ne!(permitted, Some(false), "granted without permission: {redemption:?}");
                redemption.granted.insert(*used);
            }
            Ok(Err(refusal)) => {
                match refusal {
                    SpendRefusal::UsedUp => {}
                    SpendRefusal::Revoked => {
                        assert!(revocation.is_some(), "not revoked: {redemption:?}");
                    }
                    SpendRefusal::AutologinDenied => {
                        assert!(redemption.link >= LINKS, "not an autologin link: {redemption:?}");
                        assert_ne!(permitted, Some(true), "a permission was lost: {redemption:?}");
                    }
                    SpendRefusal::BeforeLedger
                    | SpendRefusal::Expired
                    | SpendRefusal::ClaimsMismatch => panic!("{refusal:?}: {redemption:?}"),
                }
                redemption.refused = Some(*refusal);
            }
            Err(LedgerError::OutcomeUnknown(_)) => redemption.unknown = true,
            Err(LedgerError::Unavailable(_) | LedgerError::Overloaded) => {}
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(super) fn counts(&self) -> ResponseCounts {
        let inner = self.inner();
        let count = |test: &dyn Fn(&Redemption) -> bool| {
            inner.redemptions.values().filter(|redemption| test(redemption)).count()
        };
        let refused = |refusal| count(&|redemption| redemption.refused == Some(refusal));
        ResponseCounts {
            granted: count(&|redemption| !redemption.granted.is_empty()),
            revoked: inner.revocations.values().flatten().count(),
            refused_as_revoked: refused(SpendRefusal::Revoked),
            refused_as_denied: refused(SpendRefusal::AutologinDenied),
            autologin_granted: count(&|r| r.link >= LINKS && !r.granted.is_empty()),
        }
    }

    /// Checks the history against the final state of the ledger.
    pub(super) fn check(&self, state: &State) {
        let inner = self.inner();
        // The ledger's time may be behind `NOW` if a leader's clock was slow.
        let advance = state.log_time().get().saturating_sub(NOW);
        assert!(advance < ADVANCE_MAX, "the ledger's time advanced by {advance} s");
        let mut by_link: BTreeMap<u8, Vec<&Redemption>> = BTreeMap::new();
        for (request, redemption) in &inner.redemptions {
            let Redemption { link, granted, refused, .. } = redemption;
            assert!(granted.len() <= 1, "request {request} has two verdicts: {redemption:?}");
            assert!(granted.is_empty() || refused.is_none(), "request {request}: {redemption:?}");
            by_link.entry(*link).or_default().push(redemption);
        }
        for (number, redemptions) in by_link {
            check_count(&spend_link(number, 0), &redemptions, state);
        }
        for number in 0..LINKS {
            let token = &TOKENS[usize::from(number)];
            let is_revoked = state.standing(token.id(), token.claims()).revoked;
            let revocation = inner.revocations.get(&number);
            assert!(!is_revoked || revocation.is_some(), "no client revoked link {number}");
            let is_lost = !is_revoked && revocation.is_some_and(Option::is_some);
            assert!(!is_lost, "the revocation of link {number} was lost");
        }
        for (client, known) in &inner.permissions {
            let actual = state.autologin_users().contains(&user(*client));
            assert!(known.is_none_or(|known| known == actual), "client {client}: {known:?}");
        }
    }
}

impl Inner {
    const fn next_step(&mut self) -> u64 {
        self.step += 1;
        self.step
    }
}

fn random_node(world: &World) -> Option<(u64, Arc<RaftLedger>)> {
    let ids = world.ids();
    let node = ids[world.roll(ids.len())];
    world.running(node).map(|ledger| (node, ledger))
}

/// Checks the redemptions of one link against the ledger's count.
fn check_count(link: &Spend, redemptions: &[&Redemption], state: &State) {
    let (token, max) = (link.token, link.max.get());
    let used = state.token(token).map_or(0, |token| token.used);
    let grants: Vec<u32> = redemptions.iter().flat_map(|r| r.granted.clone()).collect();
    let distinct: BTreeSet<u32> = grants.iter().copied().collect();
    let unknown = redemptions.iter().filter(|r| r.granted.is_empty() && r.unknown).count();
    assert!(used <= max, "{token:?} was used {used} times of {max}");
    assert_eq!(distinct.len(), grants.len(), "{token:?}: one use was granted twice");
    assert!(distinct.iter().all(|n| *n <= used), "{token:?}: a grant was not counted");
    assert!(grants.len() <= used as usize, "{token:?}: grants {grants:?} for {used} uses");
    assert!(
        used as usize <= grants.len() + unknown,
        "{token:?}: {used} counted, {} granted, {unknown} unknown",
        grants.len()
    );
    let is_used_up = redemptions.iter().any(|r| r.refused == Some(SpendRefusal::UsedUp));
    assert!(!is_used_up || used == max, "{token:?}: refused as used up after {used} of {max} uses");
}
