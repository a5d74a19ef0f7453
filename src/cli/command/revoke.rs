//! `jeton revoke`: revokes links.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::api::revocations::{NewRevocation, RevokeBatch, RevokeKey, RevokeToken, RevokeUser};
use crate::cli::client::AdminClient;
use crate::cli::client::query::TokenFilter;
use crate::cli::global::Global;
use crate::cli::pasted;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::cli::terminal::table::Table;
use crate::clock::{Clock, SystemClock};
use crate::failure::Failure;
use crate::keyring::Keyring;
use crate::ledger::StateFilter;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::{Batch, KeyId, Nonce, UnixSeconds, UserName, verify};

const EXAMPLES: &str = "\
Examples:
  jeton revoke QmF0Y2hFeGFtcGxlSWQwMQ      one link, by its id
  jeton revoke -                           one link, from stdin
  jeton revoke --user alice                all links minted for alice so far
  jeton revoke --batch 0a1b2c3d            all links of a batch, such as a lost sheet
  jeton revoke --key 3f2a9c01              all links of a key, such as a stolen one
  jeton revoke --user alice --format json  print what is revoked as JSON

A revocation cannot be undone. A profile that was downloaded before stays on the device
and keeps working; to end that, revoke its certificate.";

/// The longest wait for the end of the second until which a user's links are revoked, in seconds.
/// The node's clock sets that second. If it is further ahead, a remark says so.
const WAIT_MAX_S: u64 = 2;

/// The most characters of a text that may be a mistyped id and is safe to show. Every token is
/// longer.
const ID_LIKE_LEN_MAX: usize = 40;

/// Revoke links
///
/// Asks the admin API of the node on this machine. When this command is done, no node grants
/// another counted use of the links. A node that is cut off from the others may still honor links
/// with unlimited uses until it is connected again, for at most `cluster.max_staleness_s`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    which: RevokedLinks,

    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct RevokedLinks {
    /// Ids from `jeton list`, tokens or links, or `-` for stdin
    #[arg(value_name = "ID|TOKEN|URL")]
    tokens: Vec<String>,

    /// All links of this user that were minted so far
    #[arg(long)]
    user: Option<UserName>,

    /// All links of this batch
    #[arg(long, value_name = "ID")]
    batch: Option<Batch>,

    /// All links that this key signed or will sign
    #[arg(long, value_name = "KEYID")]
    key: Option<KeyId>,
}

pub(crate) fn run(args: RevokeArgs, global: &Global) -> Result<(), Failure> {
    let RevokeArgs { which, format, passphrase } = args;
    let config = global.load()?;
    // All arguments are parsed before the first link is revoked.
    let targets = targets(&which, &config.keys.trusted)?;
    let node = AdminClient::open(&config, &passphrase)?;
    if let Some(key) = which.key {
        warn_if_unknown(key, &config.keys.trusted);
    }
    for target in &targets {
        if *target == NewRevocation::key(node.key_id()) {
            return Err(own_key(node.key_id()));
        }
        let issued_until = node.revoke(target)?;
        output::show(&match format {
            ChangeFormat::Text => format!("{}\n", describe(target, issued_until)),
            ChangeFormat::Json => for_programs(target, issued_until).to_json_lines()?,
        })?;
        if let Some(issued_until) = issued_until {
            wait_out(issued_until, &SystemClock, thread::sleep);
        }
    }
    // The warnings come last: a possible typo must not delay the revocation of others.
    unlisted_warnings(&node, &targets).iter().for_each(|warning| output::remark(warning));
    if let Some(key) = which.key {
        output::remark(&format!("To stop signing with it: jeton key retire {key}"));
    }
    output::remark(
        "A profile that was downloaded before stays on the device and keeps working. To end that, \
         revoke its certificate.",
    );
    Ok(())
}

fn targets(which: &RevokedLinks, trusted: &Path) -> Result<Vec<NewRevocation>, Failure> {
    if let Some(user) = &which.user {
        return Ok(vec![NewRevocation::user(user.clone())]);
    }
    if let Some(batch) = which.batch {
        return Ok(vec![NewRevocation::batch(batch)]);
    }
    if let Some(key) = which.key {
        return Ok(vec![NewRevocation::key(key)]);
    }
    let target = |(nonce, expires_at)| NewRevocation::token(nonce, expires_at);
    which.tokens.iter().map(|text| token(text, trusted).map(target)).collect()
}

/// Warns of a key id that may be mistyped. It is revoked anyway: a stolen key may no longer be on
/// this machine.
fn warn_if_unknown(id: KeyId, trusted: &Path) {
    // An unreadable key here is no reason to keep a stolen one valid.
    if Keyring::load(trusted).is_ok_and(|keys| !knows(&keys, id)) {
        output::remark(&format!(
            "warning: no trusted key on this machine has the id {id}; it is revoked anyway\n\
             hint: if it was mistyped, `jeton key list` shows the ids"
        ));
    }
}

fn knows(keys: &Keyring, id: KeyId) -> bool {
    keys.iter().any(|(_path, trusted)| trusted.key.id() == id)
}

/// Returns a warning for each target that may be mistyped, because no listed link has it. Ignores
/// errors of the node: the revocation is done.
fn unlisted_warnings(node: &AdminClient, targets: &[NewRevocation]) -> Vec<String> {
    let all = TokenFilter { state: StateFilter::All, ..TokenFilter::default() };
    // Ids of one batch are looked up together.
    let mut batches: BTreeMap<Batch, Vec<Nonce>> = BTreeMap::new();
    let mut warnings = Vec::new();
    for target in targets {
        let query = match target {
            NewRevocation::User(RevokeUser { user }) => {
                TokenFilter { user: Some(user.clone()), ..all.clone() }
            }
            NewRevocation::Batch(RevokeBatch { batch }) => {
                TokenFilter { batch: Some(*batch), ..all.clone() }
            }
            // A complete, signed token cannot be mistyped.
            NewRevocation::Token(RevokeToken { token: nonce, expires_at: None }) => {
                batches.entry(nonce.batch()).or_default().push(*nonce);
                continue;
            }
            NewRevocation::Token(_) | NewRevocation::Key(_) => continue,
        };
        if matches!(node.knows(&query), Ok(false)) {
            warnings.push(unlisted_warning(target));
        }
    }
    for (batch, nonces) in batches {
        let query = TokenFilter { batch: Some(batch), ..all.clone() };
        let Ok(listed) = node.tokens(&query) else { continue };
        let listed: BTreeSet<_> = listed.iter().map(|token| token.id).collect();
        let unlisted = nonces.into_iter().filter(|nonce| !listed.contains(nonce));
        let warning = |nonce| unlisted_warning(&NewRevocation::token(nonce, None));
        warnings.extend(unlisted.map(warning));
    }
    warnings
}

fn unlisted_warning(target: &NewRevocation) -> String {
    let (kind, id) = kind_and_id(target);
    let (what, option) = match target {
        NewRevocation::Token(_) => ("id", ""),
        NewRevocation::Batch(_) => (kind, " --format json"),
        NewRevocation::User(_) | NewRevocation::Key(_) => (kind, ""),
    };
    format!(
        "warning: no listed link has the {what} {id}; it is revoked anyway\n\
         hint: links that were never used may be unlisted; if it was mistyped, see `jeton list \
         --state all{option}`"
    )
}

/// Parses an id, or a token or link. Returns the expiry only of a token that a trusted key signed.
pub(crate) fn token(
    argument: &str,
    trusted: &Path,
) -> Result<(Nonce, Option<UnixSeconds>), Failure> {
    let text = pasted::read(argument)?;
    if let Ok(nonce) = text.trim().parse::<Nonce>() {
        return Ok((nonce, None));
    }
    if text.trim().len() <= ID_LIKE_LEN_MAX {
        return Err(Failure::say(
            format!("`{}` is not the id of a link, and too short for a token", text.trim()),
            "`jeton list` shows the ids, which have 22 characters",
        ));
    }
    let keys = Keyring::load(trusted)?;
    // The ledger drops a revocation some time after the expiry of the token. So an early, forged
    // expiry would revive the token.
    let token = verify(pasted::token(&text)?, &keys)?;
    Ok((token.id().nonce, Some(token.claims().expires_at())))
}

fn describe(target: &NewRevocation, issued_until: Option<UnixSeconds>) -> String {
    let (kind, id) = kind_and_id(target);
    let which = match (target, issued_until) {
        (NewRevocation::Token(_), _) => return format!("revoked {id}"),
        (NewRevocation::Batch(_), _) => "every link of that batch".to_owned(),
        (NewRevocation::User(_), Some(until)) => {
            format!("every link minted until {until}; links minted later still work")
        }
        (NewRevocation::User(_), None) => "every link minted so far".to_owned(),
        (NewRevocation::Key(_), _) => "every link that it signed or will sign".to_owned(),
    };
    format!("revoked {kind} {id}: {which}")
}

fn for_programs(target: &NewRevocation, issued_until: Option<UnixSeconds>) -> Table {
    let (kind, id) = kind_and_id(target);
    let issued_until = issued_until.map(|until| until.to_string());
    Table::row([("revoked", kind.into()), ("id", id.into()), ("issued_until", issued_until.into())])
}

fn kind_and_id(target: &NewRevocation) -> (&'static str, String) {
    match target {
        NewRevocation::Token(RevokeToken { token, .. }) => ("token", token.to_string()),
        NewRevocation::Batch(RevokeBatch { batch }) => ("batch", batch.to_string()),
        NewRevocation::User(RevokeUser { user }) => ("user", user.to_string()),
        NewRevocation::Key(RevokeKey { key }) => ("key", key.to_string()),
    }
}

/// Waits until the second `until` is over, so that links minted after this command are not revoked.
fn wait_out(until: UnixSeconds, clock: &impl Clock, mut sleep: impl FnMut(Duration)) {
    if clock.now().plus(WAIT_MAX_S) <= until {
        output::remark(&format!(
            "The node's clock is ahead of this machine's: links minted before {until} are refused \
             as well. Synchronize the clocks."
        ));
        return;
    }
    while clock.now() <= until {
        sleep(Duration::from_millis(20));
    }
}

fn own_key(id: KeyId) -> Failure {
    Failure::say(
        format!("this command signs in with the key {id} itself"),
        "create another one first: `jeton key new --purpose admin`, then reload the nodes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::{FakeNode, client_of};
    use crate::clock::ManualClock;
    use crate::keyring::write_new;
    use crate::mint::tests::{counting, minter, order};
    use crate::token::{KeyPurpose, SigningKey};

    fn trusted_key() -> (tempfile::TempDir, SigningKey) {
        let temp = tempfile::tempdir().unwrap();
        let (trusted, signing) = (temp.path().join("trusted"), temp.path().join("signing"));
        let key = SigningKey::from_seed(&[7; 32]);
        write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
        (temp, key)
    }

    #[test]
    fn takes_the_expiry_only_from_a_signed_token() {
        let (temp, _) = trusted_key();
        let trusted = temp.path().join("trusted");
        let minted = minter().mint(&[order("alice")], UnixSeconds::new(1_000), counting());
        let minted = &minted.unwrap()[0];
        let nonce = minted.claims.nonce;
        let known = (nonce, Some(UnixSeconds::new(4_600)));
        assert_eq!(token(&minted.links.share, &trusted).unwrap(), known);
        assert_eq!(token(minted.token.as_str(), &trusted).unwrap(), known);
        let by_id = (nonce, None);
        assert_eq!(token(&nonce.to_string(), &trusted).unwrap(), by_id);
        let mut forged = minted.token.as_str().to_owned();
        let other = if forged.as_bytes()[12] == b'B' { "C" } else { "B" };
        forged.replace_range(12..13, other);
        assert!(token(&forged, &trusted).unwrap_err().to_string().contains("not valid"));
        assert!(token("AQEBAQ", &trusted).unwrap_err().to_string().contains("not the id of a"));
    }

    #[test]
    fn recognizes_trusted_keys() {
        let (temp, key) = trusted_key();
        let keys = Keyring::load(&temp.path().join("trusted")).unwrap();
        assert!(knows(&keys, key.verifying_key().id()));
        assert!(!knows(&keys, KeyId([9; 4])));
    }

    #[test]
    fn waits_until_the_second_is_over() {
        let clock = ManualClock::at(UnixSeconds::new(100));
        let mut slept = 0;
        wait_out(UnixSeconds::new(100), &clock, |_| {
            slept += 1;
            if slept == 3 {
                clock.set(UnixSeconds::new(101));
            }
        });
        assert_eq!((slept, clock.now()), (3, UnixSeconds::new(101)));
    }

    #[test]
    fn does_not_wait_for_a_clock_that_is_far_ahead() {
        let clock = ManualClock::at(UnixSeconds::new(100));
        wait_out(UnixSeconds::new(102), &clock, |_| panic!("it slept"));
        wait_out(UnixSeconds::new(99), &clock, |_| panic!("it slept"));
    }

    #[test]
    fn warns_of_unlisted_targets_only() {
        let none = r#"{"tokens":[],"next":null,"total":0}"#;
        let node = FakeNode::answering([
            (200, none),
            (200, r#"{"tokens":[],"next":null,"total":2}"#),
            (200, none),
        ]);
        let nonce = Nonce::new(Batch([1; 4]), [2; 12]);
        let warnings = unlisted_warnings(
            &node.client(),
            &[
                NewRevocation::user(UserName::new("alicee").unwrap()),
                NewRevocation::batch(Batch([1; 4])),
                NewRevocation::key(KeyId([9; 4])),
                NewRevocation::token(nonce, Some(UnixSeconds::new(1))),
                NewRevocation::token(nonce, None),
            ],
        );
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("warning: no listed link has the user alicee; "));
        assert!(warnings[1].contains("the id AQEBAQICAgICAgICAgICAg; "), "{}", warnings[1]);
        assert!(warnings[0].contains("`jeton list --state all`"), "{}", warnings[0]);
        let requests = node.requests();
        assert!(requests[0].line().contains("state=all&user=alicee"), "{}", requests[0].line());
        let gone = client_of(FakeNode::unused_address());
        assert!(unlisted_warnings(&gone, &[NewRevocation::batch(Batch([1; 4]))]).is_empty());
    }

    #[test]
    fn json_has_what_is_revoked() {
        let user = NewRevocation::user(UserName::new("alice").unwrap());
        let until = Some(UnixSeconds::new(1_795_435_200));
        assert_eq!(
            for_programs(&user, until).to_json_lines().unwrap(),
            "{\"revoked\":\"user\",\"id\":\"alice\",\"issued_until\":\"2026-11-23T12:00:00Z\"}\n"
        );
        let batch =
            for_programs(&NewRevocation::batch(Batch([1; 4])), None).to_json_lines().unwrap();
        assert_eq!(batch, "{\"revoked\":\"batch\",\"id\":\"01010101\",\"issued_until\":null}\n");
    }

    #[test]
    fn describes_what_is_revoked() {
        let user = NewRevocation::user(UserName::new("alice").unwrap());
        assert_eq!(
            describe(&user, Some(UnixSeconds::new(1_795_435_200))),
            "revoked user alice: every link minted until 2026-11-23T12:00:00Z; links minted later \
             still work"
        );
        let nonce = Nonce::new(Batch([1; 4]), [2; 12]);
        let token = NewRevocation::token(nonce, None);
        assert_eq!(describe(&token, None), "revoked AQEBAQICAgICAgICAgICAg");
    }
}
