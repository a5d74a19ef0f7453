//! `jeton mint`: makes tokens, offline: one, or as many as a file has lines.

use std::path::PathBuf;

use clap::{ArgGroup, ValueHint};

use crate::cli::global::Global;
use crate::cli::minting::MinterArgs;
use crate::cli::minting::expiry::Expiry;
use crate::cli::minting::order_check::OrderCheck;
use crate::cli::minting::permission::PermissionArgs;
use crate::cli::minting::recording::RecordArgs;
use crate::cli::minting::{orders_csv, sheet};
use crate::cli::terminal::facts::Facts;
use crate::cli::terminal::format::MintFormat;
use crate::cli::terminal::table::Table;
use crate::cli::terminal::{moment, output, progress, qr};
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::humanize::counted;
use crate::mint::{Minted, Order};
use crate::random;
use crate::token::{IpNetwork, NewUserName, ProfileKind, UnixSeconds, UseLimit};

const EXAMPLES: &str = "\
Examples:
  jeton mint --user alice                              one use, one hour
  jeton mint --user alice --user bob --expires 7d      one link each, one batch
  jeton mint --user alice --uses unlimited --expires 2026-12-01T12:00Z
  jeton mint --user alice --qr                         and a code for the phone
  jeton mint --user alice --record --note 'new phone'  and `jeton list` shows it at once
  jeton mint --user alice --format url | mail -s VPN alice@example.com
  jeton mint --csv people.csv > links.csv              a link for each line, one batch
  jeton mint --csv people.csv --sheet links.html       and a page to print, with QR codes
  jeton mint --user alice --key k.pem --public-url https://vpn.example.com
                                                       on a machine without a config

The first line of people.csv names its columns: user, and as needed profile_type,
expires, uses and network. What a line leaves empty is as the options say. Commas
separate, or semicolons or tabs where the first line has no comma.

Minting needs a signing key and the public URL, and no network. The share link is
the one to put into a chat: previews and scanners that open it spend nothing.";

/// Make links that give a user's profile, offline
///
/// A link is good for one use and one hour unless you say otherwise. All links
/// of one run are one batch, which `jeton revoke --batch` takes back as a whole.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("whom").required(true).args(["users", "csv"])))]
pub(crate) struct MintArgs {
    /// Whose profile the link gives; repeat it for one link each
    #[arg(long = "user", value_name = "USER")]
    users: Vec<NewUserName>,

    /// File with a line for each link, `-` for stdin; see below
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    csv: Option<PathBuf>,

    /// Kind of profile: user-locked (asks for the user's password), autologin
    /// (asks for nothing) or server-locked (for any user, by password)
    #[arg(long, value_name = "KIND", default_value_t)]
    profile_type: ProfileKind,

    /// When the link expires: a span such as 90m, 1h, 7d, `2 weeks`, or a moment
    /// such as 2026-12-01T12:00Z; at most 366 days
    #[arg(long, value_name = "WHEN", default_value = "1h", allow_hyphen_values = true)]
    expires: Expiry,

    /// How often it may be used: a number, or `unlimited` until it expires
    #[arg(long, value_name = "N", default_value_t = UseLimit::ONCE)]
    uses: UseLimit,

    /// Only clients in this network may use it, such as 192.0.2.0/24
    #[arg(long, value_name = "CIDR")]
    network: Option<IpNetwork>,

    /// How to write the result [default: text, or csv with --csv, or nothing with
    /// --sheet]
    #[arg(long, value_enum)]
    format: Option<MintFormat>,

    /// Write a new file to print: a QR code and a link for each person
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    sheet: Option<PathBuf>,

    /// Draw the import link as a QR code, on stderr
    #[arg(long)]
    qr: bool,

    #[command(flatten)]
    minter: MinterArgs,

    #[command(flatten)]
    permission: PermissionArgs,

    #[command(flatten)]
    recording: RecordArgs,
}

/// Mints and shows what was minted.
pub(crate) fn run(args: &MintArgs, global: &Global) -> Result<(), Failure> {
    let now = SystemClock.now();
    let recorder = args.recording.open(&args.minter.passphrase, global)?;
    let said = args.permission.read()?;
    let check = match &recorder {
        Some(recorder) => recorder.ask(said)?,
        None => OrderCheck::unasked(said),
    };
    let orders = args.orders(&check, now)?;
    let bar = progress::bar(orders.len(), "minting");
    let seen = orders.iter().inspect(|_order| bar.inc(1));
    let minted = args.minter.open(global)?.mint(seen, now, random::fill)?;
    // What may still fail comes first: until the result is shown, no link is out.
    if let Some(path) = &args.sheet {
        bar.set_message("drawing");
        bar.set_position(0);
        sheet::write(path, &minted, &bar)?;
        if minted.len() > sheet::CARDS_EASY_MAX {
            bar.suspend(|| output::remark(&large_sheet(minted.len())));
        }
    }
    bar.finish_and_clear();
    let format = args.format();
    if let Some(format) = format {
        output::show(&written(&minted, format)?)?;
    }
    if args.qr {
        draw(&minted)?;
    }
    if format == Some(MintFormat::Text) {
        output::remark(
            "Whoever has a link can use it. Send the share link: a preview that opens it spends \
             nothing.",
        );
    }
    if args.csv.is_some() || args.sheet.is_some() {
        output::remark(&batch_remark(&minted));
    }
    let Some(recorder) = recorder else { return Ok(()) };
    if minted.len() > 1 {
        output::remark(
            "Now the node is told of them. If that is cut short, all links are good; those it was \
             not told of are listed from their first use on.",
        );
    }
    let bar = progress::bar(minted.len(), "recording");
    let told = recorder.tell(&minted, &bar);
    bar.finish_and_clear();
    told
}

impl MintArgs {
    /// What is to be minted.
    fn orders(&self, check: &OrderCheck, now: UnixSeconds) -> Result<Vec<Order>, Failure> {
        let lifetime = self.expires.lifetime(now).map_err(|error| {
            Failure::new(&error, "--expires takes a span such as 1h or 7d, or a moment to come")
        })?;
        let order = |user: &NewUserName| Order {
            user: user.clone(),
            kind: self.profile_type,
            lifetime,
            uses: self.uses,
            network: self.network,
        };
        match &self.csv {
            Some(path) => orders_csv::read(path, order, check, now),
            None => {
                let orders: Vec<_> = self.users.iter().map(order).collect();
                orders.iter().try_for_each(|order| check.check(order))?;
                Ok(orders)
            }
        }
    }

    /// How to write the result; `None` if it is in the sheet alone.
    fn format(&self) -> Option<MintFormat> {
        match (self.format, &self.csv, &self.sheet) {
            (Some(format), ..) => Some(format),
            (None, _, Some(_)) => None,
            (None, Some(_), None) => Some(MintFormat::Csv),
            (None, None, None) => Some(MintFormat::Text),
        }
    }
}

fn large_sheet(cards: usize) -> String {
    format!(
        "warning: the sheet has {cards} cards, and browsers struggle beyond {}\n\
         hint: split the table and mint a sheet for each part; `--format csv` has no such limit",
        sheet::CARDS_EASY_MAX
    )
}

fn batch_remark(minted: &[Minted]) -> String {
    let batch = minted.first().map(|minted| minted.claims.nonce.batch().to_string());
    let batch = batch.unwrap_or_default();
    let links = counted(minted.len(), "link");
    format!("{links}, batch {batch}. To take all of them back: jeton revoke --batch {batch}")
}

fn draw(minted: &[Minted]) -> Result<(), Failure> {
    for minted in minted {
        output::remark(&format!("{}:", minted.claims.user));
        output::remark(&qr::draw(&minted.links.scan)?);
    }
    Ok(())
}

/// Writes what was minted in the form that was asked for.
fn written(minted: &[Minted], format: MintFormat) -> Result<String, Failure> {
    match format {
        MintFormat::Text => {
            let blocks: Vec<_> = minted.iter().map(block).collect();
            Ok(blocks.join("\n"))
        }
        MintFormat::Json => table(minted).to_json_lines(),
        MintFormat::Csv => table(minted).to_csv(),
        MintFormat::Url => {
            Ok(minted.iter().map(|minted| format!("{}\n", minted.links.import)).collect())
        }
    }
}

/// What people need to know of one token.
fn block(minted: &Minted) -> String {
    let Minted { kind, claims, token, links } = minted;
    let mut facts = Facts::default();
    facts.add("user", claims.user.as_str());
    facts.add("import", &links.import);
    facts.add("download", &links.download);
    facts.add("share", &links.share);
    facts.add("id", token.id().nonce.to_string());
    facts.add("batch", claims.nonce.batch().to_string());
    facts.add("kind", kind.as_str());
    facts.add("uses", claims.uses.to_string());
    if let Some(network) = claims.network {
        facts.add("network", network.to_string());
    }
    facts.add("expires", moment::both(claims.expires_at()));
    facts.to_text()
}

/// What programs need to know.
fn table(minted: &[Minted]) -> Table {
    let mut table = Table::new(&[
        "id",
        "key_id",
        "batch",
        "user",
        "profile_type",
        "uses",
        "network",
        "issued_at",
        "expires_at",
        "import_url",
        "download_url",
        "share_url",
        "token",
    ]);
    for minted in minted {
        let Minted { claims, token, links, .. } = minted;
        table.add([
            token.id().nonce.to_string().into(),
            token.id().key_id.to_string().into(),
            claims.nonce.batch().to_string().into(),
            claims.user.as_str().into(),
            minted.kind.as_str().into(),
            claims.uses.count().into(),
            claims.network.map(|network| network.to_string()).into(),
            claims.issued_at.to_string().into(),
            claims.expires_at().to_string().into(),
            links.import.as_str().into(),
            links.download.as_str().into(),
            links.share.as_str().into(),
            token.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::tests::{counting, minter, order};
    use crate::token::UnixSeconds;

    fn minted() -> Vec<Minted> {
        let order = |user| Order { uses: UseLimit::Unlimited, ..order(user) };
        minter()
            .mint(&["alice", "bob"].map(order), UnixSeconds::new(1_795_435_200), counting())
            .unwrap()
    }

    #[test]
    fn the_url_form_is_the_import_link_alone() {
        let minted = minted();
        let url = written(&minted, MintFormat::Url).unwrap();
        let lines: Vec<_> = url.lines().collect();
        let prefix =
            "openvpn://import-profile/https://vpn.example.com/rest/GetProfileViaToken?token=";
        assert_eq!(lines[0], format!("{prefix}{}", minted[0].token.as_str()));
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_json_form_has_one_object_a_line() {
        let minted = minted();
        let json = written(&minted, MintFormat::Json).unwrap();
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        for (field, value) in [
            ("id", "AQEBAQICAgICAgICAgICAg"),
            ("batch", "01010101"),
            ("user", "alice"),
            ("profile_type", "user-locked"),
            ("issued_at", "2026-11-23T12:00:00Z"),
            ("expires_at", "2026-11-23T13:00:00Z"),
            ("token", minted[0].token.as_str()),
        ] {
            assert_eq!(first[field], value, "{field}");
        }
        assert!(first["uses"].is_null() && first["network"].is_null(), "{first}");
        assert_eq!(json.lines().count(), 2);
    }

    #[test]
    fn the_text_form_has_the_three_links_and_the_expiry() {
        let minted = minted();
        let text = written(&minted, MintFormat::Text).unwrap();
        let plain = anstream::adapter::strip_str(&text).to_string();
        let share = format!("share     https://vpn.example.com/t/{}", minted[0].token.as_str());
        for line in [share.as_str(), "user      alice", "user      bob", "uses      unlimited"] {
            assert!(plain.lines().any(|found| found == line), "{line} in {plain}");
        }
        assert!(plain.contains("expires   2026-11-23T13:00:00Z"), "{plain}");
    }
}
