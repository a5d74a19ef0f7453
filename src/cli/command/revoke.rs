//! `jeton revoke`: has links refused from now on.

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
use crate::signing::signing_key;
use crate::token::{Batch, KeyId, Nonce, UnixSeconds, UserName, verify};

const EXAMPLES: &str = "\
Examples:
  jeton revoke QmF0Y2hFeGFtcGxlSWQwMQ      one link, by its id
  jeton revoke -                           one link, from stdin
  jeton revoke --user alice                all that were minted for alice until now
  jeton revoke --batch 0a1b2c3d            all of one mint run, such as a lost sheet
  jeton revoke --key 3f2a9c01              all of a key, such as a stolen one
  jeton revoke --user alice --format json  what is refused, as JSON

Nothing takes a revocation back. What was downloaded before stays on the user's
device and goes on working: to end that, revoke the certificate.";

/// The longest that a user's revocation is waited out. The node's clock sets it,
/// and one that is further ahead of ours is told of and not waited for.
const WAIT_MAX_S: u64 = 2;

/// The most characters that are taken for a mistyped id and so may be shown: no
/// token has so few.
const ID_LIKE_LEN_MAX: usize = 40;

/// Refuse links from now on
///
/// Asks the admin API of the node on this machine. Once this command is done, no
/// counted use is granted any more, on any node. A node that is cut off from the
/// others learns of it when it is back; until then it may still honour links of
/// unlimited uses.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    what: What,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Links: their ids from `jeton list`, or tokens, or URLs, or `-` for stdin
    #[arg(value_name = "ID|TOKEN|URL")]
    tokens: Vec<String>,

    /// All links of this user that were minted until now
    #[arg(long)]
    user: Option<UserName>,

    /// All links of this mint run
    #[arg(long, value_name = "ID")]
    batch: Option<Batch>,

    /// All links that this key signed or will sign
    #[arg(long, value_name = "KEYID")]
    key: Option<KeyId>,
}

/// Revokes, and says what is refused now.
pub(crate) fn run(args: RevokeArgs, global: &Global) -> Result<(), Failure> {
    let RevokeArgs { what, format, passphrase } = args;
    let config = global.load()?;
    // All are understood before the first is revoked.
    let targets = targets(&what, &config.keys.trusted)?;
    let node = AdminClient::open(&config, &passphrase)?;
    if let Some(key) = what.key {
        tell_if_unknown(key, &config.keys.trusted);
    }
    for target in &targets {
        if *target == NewRevocation::key(node.key_id()) {
            return Err(own_key(node.key_id()));
        }
        let issued_until = node.revoke(target)?;
        output::show(&match format {
            ChangeFormat::Text => format!("{}\n", said(target, issued_until)),
            ChangeFormat::Json => for_programs(target, issued_until).to_json_lines()?,
        })?;
        if let Some(issued_until) = issued_until {
            wait_out(issued_until, &SystemClock, thread::sleep);
        }
    }
    // It comes last: a slip of the pen is no reason to let a stolen link live on.
    strangers(&node, &targets).iter().for_each(|warning| output::remark(warning));
    if let Some(key) = what.key {
        output::remark(&format!("To sign with it no more: jeton key retire {key}"));
    }
    output::remark(
        "What was downloaded before stays on the user's device and goes on working: to end that, \
         revoke the certificate.",
    );
    Ok(())
}

fn targets(what: &What, trusted: &Path) -> Result<Vec<NewRevocation>, Failure> {
    if let Some(user) = &what.user {
        return Ok(vec![NewRevocation::user(user.clone())]);
    }
    if let Some(batch) = what.batch {
        return Ok(vec![NewRevocation::batch(batch)]);
    }
    if let Some(key) = what.key {
        return Ok(vec![NewRevocation::key(key)]);
    }
    let target = |(nonce, expires_at)| NewRevocation::token(nonce, expires_at);
    what.tokens.iter().map(|text| token(text, trusted).map(target)).collect()
}

/// Warns of a key that may be a slip of the pen. It is revoked all the same: a
/// stolen key may be gone from this machine.
fn tell_if_unknown(id: KeyId, trusted: &Path) {
    // Keys that cannot be read here are no reason to let a stolen one live.
    if Keyring::load(trusted).is_ok_and(|keys| !knows(&keys, id)) {
        output::remark(&format!(
            "warning: no trusted key of this machine has the id {id}; it is revoked all the same\n\
             hint: `jeton key list` shows the ids, if it was mistyped"
        ));
    }
}

fn knows(keys: &Keyring, id: KeyId) -> bool {
    keys.iter().any(|(_path, trusted)| trusted.key.id() == id)
}

/// Returns a warning for each of the revoked that no listed link has. A node that
/// does not tell is no failure: what was asked for is done.
fn strangers(node: &AdminClient, targets: &[NewRevocation]) -> Vec<String> {
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
            // One that was shown whole is no slip of the pen.
            NewRevocation::Token(RevokeToken { token: nonce, expires_at: None }) => {
                batches.entry(nonce.batch()).or_default().push(*nonce);
                continue;
            }
            NewRevocation::Token(_) | NewRevocation::Key(_) => continue,
        };
        if matches!(node.knows(&query), Ok(false)) {
            warnings.extend(stranger(target));
        }
    }
    for (batch, nonces) in batches {
        let query = TokenFilter { batch: Some(batch), ..all.clone() };
        let Ok(listed) = node.tokens(&query) else { continue };
        let listed: BTreeSet<_> = listed.iter().map(|token| token.id).collect();
        let unlisted = nonces.into_iter().filter(|nonce| !listed.contains(nonce));
        warnings.extend(unlisted.filter_map(|nonce| stranger(&NewRevocation::token(nonce, None))));
    }
    warnings
}

/// Says that no listed link has what was revoked, and how to look for what has.
fn stranger(target: &NewRevocation) -> Option<String> {
    let (what, look) = match target {
        NewRevocation::User(RevokeUser { user }) => {
            (format!("the user {user}"), "jeton list --state all")
        }
        NewRevocation::Batch(RevokeBatch { batch }) => {
            (format!("the batch {batch}"), "jeton list --state all --format json")
        }
        NewRevocation::Token(RevokeToken { token: nonce, .. }) => {
            (format!("the id {nonce}"), "jeton list --state all")
        }
        NewRevocation::Key(_) => return None,
    };
    Some(format!(
        "warning: no listed link has {what}; it is revoked all the same\n\
         hint: links that were never used may be unlisted; if it was mistyped: `{look}`"
    ))
}

/// Reads an id, or the id and the expiry of a token that one of our keys signed.
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
            format!("`{}` is no id of a link, and too short for a token", text.trim()),
            "`jeton list` shows the ids; they have 22 characters",
        ));
    }
    let keys = Keyring::load(trusted).map_err(|error| signing_key::explain(&error))?;
    // The ledger forgets the line some time after the expiry, so a forged expiry
    // would bring the true token back: only a signed one is passed on.
    let token = verify(pasted::token(&text)?, &keys).map_err(|error| pasted::explain(&error))?;
    Ok((token.id().nonce, Some(token.claims().expires_at())))
}

/// Says what is refused now.
fn said(target: &NewRevocation, issued_until: Option<UnixSeconds>) -> String {
    match (target, issued_until) {
        (NewRevocation::Token(RevokeToken { token: nonce, .. }), _) => format!("revoked {nonce}"),
        (NewRevocation::Batch(RevokeBatch { batch }), _) => {
            format!("revoked batch {batch}: every link of that mint run")
        }
        (NewRevocation::User(RevokeUser { user }), Some(until)) => format!(
            "revoked user {user}: every link minted until {until}; links minted later are good"
        ),
        (NewRevocation::User(RevokeUser { user }), None) => {
            format!("revoked user {user}: every link minted until now")
        }
        (NewRevocation::Key(RevokeKey { key }), _) => {
            format!("revoked key {key}: every link that it signed or will sign")
        }
    }
}

/// What programs need to know.
fn for_programs(target: &NewRevocation, issued_until: Option<UnixSeconds>) -> Table {
    let (kind, id) = match target {
        NewRevocation::Token(RevokeToken { token: nonce, .. }) => ("token", nonce.to_string()),
        NewRevocation::Batch(RevokeBatch { batch }) => ("batch", batch.to_string()),
        NewRevocation::User(RevokeUser { user }) => ("user", user.to_string()),
        NewRevocation::Key(RevokeKey { key: id }) => ("key", id.to_string()),
    };
    let mut table = Table::new(&["revoked", "id", "issued_until"]);
    table.add([kind.into(), id.into(), issued_until.map(|until| until.to_string()).into()]);
    table
}

/// Waits until the second `until` is over, so that whatever is minted after this
/// command is newer than what it revoked.
fn wait_out(until: UnixSeconds, clock: &impl Clock, mut sleep: impl FnMut(Duration)) {
    if clock.now().plus(WAIT_MAX_S) <= until {
        output::remark(&format!(
            "The node's clock is ahead of this machine's: links minted before {until} are refused \
             too. Set the clocks."
        ));
        return;
    }
    while clock.now() <= until {
        sleep(Duration::from_millis(20));
    }
}

fn own_key(id: KeyId) -> Failure {
    Failure::say(
        format!("{id} is the admin key that this command itself uses"),
        "make another one first: `jeton key new --purpose admin`, then reload the nodes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::FakeNode;
    use crate::clock::ManualClock;
    use crate::keyring::write_new;
    use crate::mint::tests::{counting, minter, order};
    use crate::token::{KeyPurpose, SigningKey};

    #[test]
    fn only_a_true_token_lends_its_expiry() {
        let folder = tempfile::tempdir().unwrap();
        let (trusted, signing) = (folder.path().join("trusted"), folder.path().join("signing"));
        let key = SigningKey::from_seed(&[7; 32]);
        write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
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
        assert!(token(&forged, &trusted).unwrap_err().to_string().contains("does not hold"));
        assert!(token("AQEBAQ", &trusted).unwrap_err().to_string().contains("no id of a link"));
    }

    #[test]
    fn a_key_that_nobody_trusts_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (trusted, signing) = (folder.path().join("trusted"), folder.path().join("signing"));
        let key = SigningKey::from_seed(&[7; 32]);
        write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
        let keys = Keyring::load(&trusted).unwrap();
        assert!(knows(&keys, key.verifying_key().id()));
        assert!(!knows(&keys, KeyId([9; 4])));
    }

    #[test]
    fn a_second_is_waited_out() {
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
    fn a_clock_far_ahead_is_not_waited_for() {
        let clock = ManualClock::at(UnixSeconds::new(100));
        wait_out(UnixSeconds::new(102), &clock, |_| panic!("it slept"));
        wait_out(UnixSeconds::new(99), &clock, |_| panic!("it slept"));
    }

    #[test]
    fn what_no_listed_link_has_is_warned_of_and_no_more() {
        let none = r#"{"tokens":[],"next":null,"total":0}"#;
        let node = FakeNode::answering([
            (200, none),
            (200, r#"{"tokens":[],"next":null,"total":2}"#),
            (200, none),
        ]);
        let client = AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]));
        let nonce = Nonce::new(Batch([1; 4]), [2; 12]);
        let warnings = strangers(
            &client,
            &[
                NewRevocation::user(UserName::new("nobodyy").unwrap()),
                NewRevocation::batch(Batch([1; 4])),
                NewRevocation::key(KeyId([9; 4])),
                NewRevocation::token(nonce, Some(UnixSeconds::new(1))),
                NewRevocation::token(nonce, None),
            ],
        );
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("warning: no listed link has the user nobodyy; "));
        assert!(warnings[1].contains("the id AQEBAQICAgICAgICAgICAg; "), "{}", warnings[1]);
        assert!(warnings[0].contains("`jeton list --state all`"), "{}", warnings[0]);
        let requests = node.requests();
        assert!(requests[0].line().contains("state=all&user=nobodyy"), "{}", requests[0].line());
        let gone = AdminClient::new(FakeNode::unused_address(), SigningKey::from_seed(&[9; 32]));
        assert!(strangers(&gone, &[NewRevocation::batch(Batch([1; 4]))]).is_empty());
    }

    #[test]
    fn programs_learn_what_is_refused() {
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
    fn what_is_refused_is_said() {
        let user = NewRevocation::user(UserName::new("alice").unwrap());
        assert_eq!(
            said(&user, Some(UnixSeconds::new(1_795_435_200))),
            "revoked user alice: every link minted until 2026-11-23T12:00:00Z; links minted later \
             are good"
        );
        let nonce = Nonce::new(Batch([1; 4]), [2; 12]);
        let token = NewRevocation::token(nonce, None);
        assert_eq!(said(&token, None), "revoked AQEBAQICAgICAgICAgICAg");
    }
}
