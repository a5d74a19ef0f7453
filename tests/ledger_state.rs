//! Checks the pure state machine, in particular its use limits, against a naive model.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

use jeton::ledger::{
    Command, Entry, Note, Outcome, RequestId, Revocation, Spend, SpendRefusal, State, TokenQuery,
    VERDICT_MEMORY, snapshot,
};
use jeton::token::{Batch, KeyId, Nonce, ProfileKind, TokenId, UnixSeconds, UserName};
use proptest::prelude::*;

const BORN: u64 = 1_000_000;

fn at(second: u64) -> UnixSeconds {
    UnixSeconds::new(second)
}

fn user(number: u8) -> UserName {
    UserName::new(format!("user{number}")).unwrap()
}

/// Returns token `number`, from which its user, batch and key follow.
fn token(number: u8) -> TokenId {
    let nonce = Nonce::new(Batch([0, 0, 0, number % 3]), [number; 12]);
    TokenId { key_id: KeyId([0, 0, 0, number % 2]), nonce }
}

fn spend(number: u8, request: u64) -> Spend {
    let mut request_id = [0; 16];
    request_id[..8].copy_from_slice(&request.to_le_bytes());
    Spend {
        token: token(number),
        max: NonZeroU32::new(u32::from(number % 4) + 1).unwrap(),
        kind: if number.is_multiple_of(5) {
            ProfileKind::Autologin
        } else {
            ProfileKind::UserLocked
        },
        user: user(number % 4),
        issued_at: at(BORN + u64::from(number)),
        expires_at: at(BORN + 600 + 50 * u64::from(number)),
        request_id: RequestId(request_id),
    }
}

fn apply_one(state: &mut State, now: u64, command: Command) -> Outcome {
    let outcomes = state.apply(&Entry { timestamp: at(now), commands: vec![command] });
    assert_eq!(outcomes.len(), 1);
    outcomes[0]
}

fn spend_one(state: &mut State, now: u64, spend: Spend) -> Outcome {
    apply_one(state, now, Command::Spend(spend))
}

fn bytes(state: &State) -> Vec<u8> {
    snapshot::encode(state)
}

#[test]
fn a_limit_of_three_grants_three_of_64_spends() {
    let mut state = State::new(at(BORN));
    let spend =
        |request| Command::Spend(Spend { max: NonZeroU32::new(3).unwrap(), ..spend(1, request) });
    let entry = Entry { timestamp: at(BORN + 10), commands: (0..64).map(spend).collect() };
    let outcomes = state.apply(&entry);
    let granted: Vec<_> =
        outcomes.iter().filter(|o| matches!(o, Outcome::Granted { .. })).collect();
    assert_eq!(granted, [1, 2, 3].map(|used| Outcome::Granted { used }).iter().collect::<Vec<_>>());
    assert_eq!(outcomes[3], Outcome::Refused(SpendRefusal::UsedUp));
    assert_eq!(state.token(token(1)).unwrap().uses_left(), Some(0));
}

#[test]
fn a_repeated_request_gets_its_first_verdict_and_costs_nothing() {
    let mut state = State::new(at(BORN));
    let first = spend_one(&mut state, BORN + 10, spend(1, 7));
    for later in 0..VERDICT_MEMORY {
        assert_eq!(spend_one(&mut state, BORN + 10 + later, spend(1, 7)), first);
    }
    assert_eq!(state.token(token(1)).unwrap().used, 1);
    // Later, the id is forgotten: the repeated request burns a use.
    spend_one(&mut state, BORN + 100, spend(1, 7));
    assert_eq!(state.token(token(1)).unwrap().used, 2);
}

/// Found by the fuzzer: the first verdict must not serve a second token.
#[test]
fn a_request_id_with_another_token_is_another_request() {
    let mut state = State::new(at(BORN));
    assert_eq!(spend_one(&mut state, BORN + 10, spend(1, 7)), Outcome::Granted { used: 1 });
    spend_one(&mut state, BORN + 10, spend(2, 7));
    assert_eq!(state.token(token(2)).unwrap().used, 1);
}

#[test]
fn a_nonce_with_other_claims_is_refused() {
    let mut state = State::new(at(BORN));
    let known = Spend { max: NonZeroU32::new(2).unwrap(), ..spend(1, 1) };
    spend_one(&mut state, BORN + 10, known.clone());
    for other in [
        Spend { max: NonZeroU32::new(9).unwrap(), request_id: RequestId([2; 16]), ..known.clone() },
        Spend { expires_at: at(BORN + 9_999), request_id: RequestId([3; 16]), ..known.clone() },
        Spend { user: user(9), request_id: RequestId([4; 16]), ..known.clone() },
        Spend { kind: ProfileKind::ServerLocked, request_id: RequestId([5; 16]), ..known },
    ] {
        let outcome = spend_one(&mut state, BORN + 11, other);
        assert_eq!(outcome, Outcome::Refused(SpendRefusal::ClaimsMismatch));
    }
    assert_eq!(state.token(token(1)).unwrap().used, 1);
}

#[test]
fn tokens_issued_before_the_ledger_are_refused() {
    let mut state = State::new(at(BORN));
    let old = Spend { issued_at: at(BORN - 1), ..spend(1, 1) };
    let outcome = spend_one(&mut state, BORN + 1, old);
    assert_eq!(outcome, Outcome::Refused(SpendRefusal::BeforeLedger));
    let new = Spend { issued_at: at(BORN), ..spend(2, 2) };
    assert_eq!(spend_one(&mut state, BORN + 1, new), Outcome::Granted { used: 1 });
}

#[test]
fn a_new_birth_revives_no_token_and_forgets_no_revocation() {
    let mut state = State::new(at(BORN));
    let before = spend_one(&mut state, BORN + 10, spend(1, 7));
    assert_eq!(before, Outcome::Granted { used: 1 });
    apply_one(&mut state, BORN + 10, Command::Revoke(Revocation::Batch(token(2).nonce.batch())));
    apply_one(&mut state, BORN + 10, Command::Permit { user: user(0), autologin: true });
    let born = BORN + 300;
    let mut state = state.with_new_birth(at(born));
    assert_eq!((state.born_at(), state.log_time()), (at(born), at(BORN + 10)));
    assert_eq!((state.revocations(), state.autologin_users().len()), (1, 1));
    // A repeated request whose verdict was a grant is refused, too.
    for request in [7, 8] {
        let outcome = spend_one(&mut state, BORN + 11, spend(1, request));
        assert_eq!(outcome, Outcome::Refused(SpendRefusal::BeforeLedger));
    }
    let mut spend_new = |number, request| {
        let spend = Spend { issued_at: at(born), ..spend(number, request) };
        spend_one(&mut state, BORN + 11, spend)
    };
    assert_eq!(spend_new(2, 9), Outcome::Refused(SpendRefusal::Revoked));
    assert_eq!(spend_new(4, 10), Outcome::Granted { used: 1 });
    // `born_at` never goes back.
    assert_eq!(state.with_new_birth(at(BORN)).born_at(), at(born));
}

/// The counter of an expired token is forgotten.
#[test]
fn a_clock_set_back_revives_no_token() {
    let mut state = State::new(at(BORN));
    let once = Spend { max: NonZeroU32::MIN, ..spend(1, 1) };
    let expires_at = once.expires_at.get();
    assert_eq!(spend_one(&mut state, BORN + 10, once.clone()), Outcome::Granted { used: 1 });
    apply_one(&mut state, expires_at + 1_000, Command::Permit { user: user(1), autologin: true });
    assert!(state.token(token(1)).is_none(), "the counter is forgotten");
    let again = Spend { request_id: RequestId([9; 16]), ..once };
    let outcome = spend_one(&mut state, BORN + 10, again);
    assert_eq!(outcome, Outcome::Refused(SpendRefusal::Expired));
    assert_eq!(state.log_time(), at(expires_at + 1_000));
}

#[test]
fn a_token_is_refused_from_the_second_of_its_expiry_on() {
    let mut state = State::new(at(BORN));
    let first = Spend { max: NonZeroU32::new(9).unwrap(), ..spend(1, 1) };
    let expires_at = first.expires_at.get();
    let outcome = spend_one(&mut state, expires_at - 1, first.clone());
    assert_eq!(outcome, Outcome::Granted { used: 1 });
    let second = Spend { request_id: RequestId([8; 16]), ..first };
    let outcome = spend_one(&mut state, expires_at, second);
    assert_eq!(outcome, Outcome::Refused(SpendRefusal::Expired));
}

/// Returns `true` for the spends that a revocation should refuse.
type Covers = fn(&Spend) -> bool;

#[test]
fn each_revocation_refuses_only_the_tokens_that_it_names() {
    let nonce = token(6).nonce;
    let cases: [(Revocation, Covers); 4] = [
        (Revocation::Token { nonce, expires_at: None }, |spend| spend.token == token(6)),
        (Revocation::Batch(nonce.batch()), |spend| {
            spend.token.nonce.batch() == token(6).nonce.batch()
        }),
        (Revocation::User { user: user(2), issued_until: at(BORN + 6) }, |spend| {
            spend.user == user(2) && spend.issued_at <= at(BORN + 6)
        }),
        (Revocation::Key(KeyId([0, 0, 0, 0])), |spend| spend.token.key_id == KeyId([0, 0, 0, 0])),
    ];
    for (revocation, covers) in cases {
        let mut state = State::new(at(BORN));
        apply_one(&mut state, BORN + 20, Command::Revoke(revocation));
        let mut count = 0;
        for number in [1, 2, 3, 4, 6, 7, 8, 9, 11, 12] {
            let spend = spend(number, u64::from(number));
            let outcome = spend_one(&mut state, BORN + 21, spend.clone());
            let revoked = outcome == Outcome::Refused(SpendRefusal::Revoked);
            assert_eq!(revoked, covers(&spend), "token {number}");
            count += u32::from(revoked);
        }
        assert!(count > 0 && count < 10);
    }
}

#[test]
fn a_state_from_a_snapshot_forgets_an_extended_revocation_at_the_same_entry() {
    let nonce = token(1).nonce;
    let revoke = |until| Command::Revoke(Revocation::Token { nonce, expires_at: Some(at(until)) });
    let start = BORN - BORN % 60;
    let mut state = State::new(at(start));
    apply_one(&mut state, start + 1, revoke(start + 119));
    apply_one(&mut state, start + 2, revoke(start + 125));
    let mut restored = snapshot::decode(&bytes(&state)).unwrap();
    for now in [start + 179, start + 180, start + 239, start + 240] {
        for one in [&mut state, &mut restored] {
            one.apply(&Entry { timestamp: at(now), commands: Vec::new() });
        }
        assert_eq!(bytes(&state), bytes(&restored), "{now}");
    }
    assert_eq!(state.revocations(), 0);
}

#[test]
fn a_revocation_without_expiry_is_never_forgotten() {
    let mut state = State::new(at(BORN));
    let nonce = token(1).nonce;
    let known = Revocation::Token { nonce, expires_at: Some(at(BORN + 100)) };
    let unknown = Revocation::Token { nonce, expires_at: None };
    apply_one(&mut state, BORN + 1, Command::Revoke(known));
    apply_one(&mut state, BORN + 2, Command::Revoke(unknown));
    apply_one(&mut state, BORN + 5_000, Command::Permit { user: user(1), autologin: false });
    let late = Spend { expires_at: at(BORN + 9_000), ..spend(1, 1) };
    let outcome = spend_one(&mut state, BORN + 5_001, late);
    assert_eq!(outcome, Outcome::Refused(SpendRefusal::Revoked));
}

#[test]
fn a_record_is_listed_and_does_not_change_a_count() {
    let mut state = State::new(at(BORN));
    let spend = spend(2, 1);
    let mut other = State::new(at(BORN));
    spend_one(&mut other, BORN + 5, spend.clone());
    let record = other.token(spend.token).unwrap().record.clone();
    let record = Command::Record { record, note: Note::default() };
    apply_one(&mut state, BORN + 5, record.clone());
    assert_eq!(state.tokens(&TokenQuery::default(), at(BORN + 5)).total, 1);
    spend_one(&mut state, BORN + 6, spend.clone());
    apply_one(&mut state, BORN + 7, record);
    assert_eq!(state.token(spend.token).unwrap().used, 1);
}

#[test]
fn a_later_record_changes_the_note_unless_it_is_empty_or_its_claims_differ() {
    let mut state = State::new(at(BORN));
    let spend = spend(2, 1);
    spend_one(&mut state, BORN + 5, spend.clone());
    let known = state.token(spend.token).unwrap().record.clone();
    let mut other = known.clone();
    other.user = user(9);
    for (record, note, expected) in [
        (&known, "for her phone", "for her phone"),
        (&known, "", "for her phone"),
        (&other, "mine", "for her phone"),
        (&known, "for her tablet", "for her tablet"),
    ] {
        let note = Note::new(note).unwrap();
        apply_one(&mut state, BORN + 6, Command::Record { record: record.clone(), note });
        let saved = snapshot::decode(&bytes(&state)).unwrap();
        let kept = saved.token(spend.token).unwrap();
        assert_eq!((kept.note.as_str(), kept.used), (expected, 1));
    }
}

#[test]
fn refuses_a_damaged_or_truncated_snapshot() {
    let mut state = State::new(at(BORN));
    for number in 0..20 {
        spend_one(&mut state, BORN + 10, spend(number, u64::from(number)));
    }
    let whole = bytes(&state);
    assert_eq!(bytes(&snapshot::decode(&whole).unwrap()), whole);
    for len in 0..whole.len() {
        assert!(snapshot::decode(&whole[..len]).is_err(), "{len} bytes");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(snapshot::decode(&flipped).is_err(), "bit {bit}");
    }
    let longer = [whole, vec![0]].concat();
    assert!(snapshot::decode(&longer).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Spend { number: u8, request: u64 },
    RevokeToken(u8),
    RevokeBatch(u8),
    RevokeUser(u8, u64),
    RevokeKey(u8),
    Permit(u8, bool),
    Clock(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..30_u8, 0..200_u64).prop_map(|(number, request)| Step::Spend { number, request }),
        1 => (0..30_u8).prop_map(Step::RevokeToken),
        1 => (0..3_u8).prop_map(Step::RevokeBatch),
        1 => (0..4_u8, 0..30_u64).prop_map(|(user, until)| Step::RevokeUser(user, until)),
        1 => (0..2_u8).prop_map(Step::RevokeKey),
        2 => (0..4_u8, any::<bool>()).prop_map(|(user, allowed)| Step::Permit(user, allowed)),
        3 => (-500..400_i64).prop_map(Step::Clock),
        2 => Just(Step::Restart),
    ]
}

/// A naive model that never forgets anything.
#[derive(Default)]
struct Model {
    log_time: u64,
    used: HashMap<u8, u32>,
    revoked: Vec<Revocation>,
    permitted: HashSet<u8>,
    /// The log's time of the first spend of each request id.
    seen: HashMap<u64, u64>,
}

impl Model {
    fn revoked(&self, spend: &Spend) -> bool {
        self.revoked.iter().any(|revocation| match revocation {
            Revocation::Token { nonce, .. } => *nonce == spend.token.nonce,
            Revocation::Batch(batch) => *batch == spend.token.nonce.batch(),
            Revocation::User { user, issued_until } => {
                *user == spend.user && spend.issued_at <= *issued_until
            }
            Revocation::Key(key_id) => *key_id == spend.token.key_id,
        })
    }

    fn spend(&mut self, number: u8, spend: &Spend) -> Outcome {
        self.used.entry(number).or_default();
        let refusal = if spend.expires_at.get() <= self.log_time {
            SpendRefusal::Expired
        } else if self.revoked(spend) {
            SpendRefusal::Revoked
        } else if spend.kind == ProfileKind::Autologin && !self.permitted.contains(&(number % 4)) {
            SpendRefusal::AutologinDenied
        } else if self.used[&number] >= spend.max.get() {
            SpendRefusal::UsedUp
        } else {
            let used = self.used.get_mut(&number).unwrap();
            *used += 1;
            return Outcome::Granted { used: *used };
        };
        Outcome::Refused(refusal)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// With clocks that jump, and restarts from a snapshot.
    #[test]
    fn the_state_agrees_with_the_model(steps in prop::collection::vec(step(), 1..200)) {
        let mut state = State::new(at(BORN));
        let mut model = Model::default();
        let mut now = BORN;
        for step in steps {
            let mut revoke = |state: &mut State, revocation: Revocation| {
                model.log_time = model.log_time.max(now);
                model.revoked.push(revocation.clone());
                apply_one(state, now, Command::Revoke(revocation));
            };
            match step {
                Step::Spend { number, request } => {
                    // Each token has request ids of its own.
                    let request = request * 64 + u64::from(number);
                    let spend = spend(number, request);
                    let log_time = model.log_time.max(now);
                    if let Some(when) = model.seen.get(&request)
                        && log_time >= when + VERDICT_MEMORY
                    {
                        // The verdict may be forgotten or not.
                        continue;
                    }
                    model.log_time = log_time;
                    if model.seen.contains_key(&request) {
                        let before = state.token(spend.token).map(|t| t.used);
                        spend_one(&mut state, now, spend.clone());
                        prop_assert_eq!(state.token(spend.token).map(|t| t.used), before);
                        continue;
                    }
                    model.seen.insert(request, model.log_time);
                    let expected = model.spend(number, &spend);
                    prop_assert_eq!(spend_one(&mut state, now, spend), expected);
                }
                Step::RevokeToken(number) => {
                    let expires_at = spend(number, 0).expires_at;
                    let expires_at = (number % 2 == 0).then_some(expires_at);
                    revoke(&mut state, Revocation::Token { nonce: token(number).nonce, expires_at });
                }
                Step::RevokeBatch(batch) => {
                    revoke(&mut state, Revocation::Batch(Batch([0, 0, 0, batch])));
                }
                Step::RevokeUser(number, until) => {
                    let issued_until = at(BORN + until);
                    revoke(&mut state, Revocation::User { user: user(number), issued_until });
                }
                Step::RevokeKey(key) => revoke(&mut state, Revocation::Key(KeyId([0, 0, 0, key]))),
                Step::Permit(number, autologin) => {
                    model.log_time = model.log_time.max(now);
                    if autologin {
                        model.permitted.insert(number);
                    } else {
                        model.permitted.remove(&number);
                    }
                    apply_one(&mut state, now, Command::Permit { user: user(number), autologin });
                }
                Step::Clock(seconds) => now = now.saturating_add_signed(seconds),
                Step::Restart => {
                    let saved = bytes(&state);
                    state = snapshot::decode(&saved).unwrap();
                    prop_assert_eq!(bytes(&state), saved);
                }
            }
            for (number, used) in &model.used {
                prop_assert!(*used <= spend(*number, 0).max.get());
            }
        }
    }
}
