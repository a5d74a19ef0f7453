//! `jeton mint`: mints tokens offline, for users or for each line of a file.

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
  jeton mint --user alice --user bob --expires 7d      a link for each, in one batch
  jeton mint --user alice --uses unlimited --expires 2026-12-01T12:00Z
  jeton mint --user alice --qr                         with a QR code for the phone
  jeton mint --user alice --record --note 'new phone'  in `jeton list` at once
  jeton mint --user alice --format url | mail -s VPN alice@example.com
  jeton mint --csv people.csv > links.csv              a link for each line, in one batch
  jeton mint --csv people.csv --sheet links.html       a page to print, with QR codes
  jeton mint --user alice --key k.pem --public-url https://vpn.example.com
                                                       on a machine without jeton.toml

The first line of people.csv names its columns: user, and optionally profile_type,
expires, uses and network. The options apply to empty cells. Cells are separated by
commas, or by semicolons or tabs if the first line has no comma.

Minting needs a signing key and the public URL, but no network. Send users the share
link: previews and scanners that open it spend no use.";

/// Mint links to the profiles of users, offline
///
/// By default, a link works once, within one hour. All links of one run are a batch, which
/// `jeton revoke --batch` revokes as a whole.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(ArgGroup::new("orders").required(true).args(["users", "csv"])))]
pub(crate) struct MintArgs {
    /// User of the profile; repeat the option to mint a link for each
    #[arg(long = "user", value_name = "USER")]
    users: Vec<NewUserName>,

    /// CSV file that describes one link on each line, or `-` for stdin; see below
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    csv: Option<PathBuf>,

    /// Kind of profile: user-locked (asks for the user's password), autologin (needs no password)
    /// or server-locked (for any user, with a password)
    #[arg(long, value_name = "KIND", default_value_t)]
    profile_type: ProfileKind,

    /// When the link expires: a span such as 90m, 1h, 7d, `2 weeks`, or a time such as
    /// 2026-12-01T12:00Z; at most 366 days
    #[arg(long, value_name = "WHEN", default_value = "1h", allow_hyphen_values = true)]
    expires: Expiry,

    /// Number of uses, or `unlimited`
    #[arg(long, value_name = "N", default_value_t = UseLimit::ONCE)]
    uses: UseLimit,

    /// Network from which the link can be used, such as 192.0.2.0/24 [default: any]
    #[arg(long, value_name = "CIDR")]
    network: Option<IpNetwork>,

    /// Output format [default: text; csv with --csv; none with --sheet]
    #[arg(long, value_enum)]
    format: Option<MintFormat>,

    /// Write a new HTML file to print, with a QR code and a link for each user
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    sheet: Option<PathBuf>,

    /// Draw the import link as a QR code on stderr
    #[arg(long)]
    qr: bool,

    #[command(flatten)]
    minter: MinterArgs,

    #[command(flatten)]
    permission: PermissionArgs,

    #[command(flatten)]
    recording: RecordArgs,
}

pub(crate) fn run(args: &MintArgs, global: &Global) -> Result<(), Failure> {
    let now = SystemClock.now();
    let recorder = args.recording.open(&args.minter.passphrase, global)?;
    let permissions = args.permission.read()?;
    let check = match &recorder {
        Some(recorder) => recorder.ask(permissions)?,
        None => OrderCheck::offline(permissions),
    };
    let orders = args.orders(&check, now)?;
    let bar = progress::bar(orders.len(), "minting");
    let counted_orders = orders.iter().inspect(|_order| bar.inc(1));
    let minted = args.minter.open(global)?.mint(counted_orders, now, random::fill)?;
    // Write the sheet first: if this fails, no link was shown.
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
        output::show(&formatted(&minted, format)?)?;
    }
    if args.qr {
        draw(&minted)?;
    }
    if format == Some(MintFormat::Text) {
        output::remark(
            "Anyone who has a link can use it. Send the share link: a preview that opens it spends \
             no use.",
        );
    }
    if args.csv.is_some() || args.sheet.is_some() {
        output::remark(&batch_remark(&minted));
    }
    let Some(recorder) = recorder else { return Ok(()) };
    if minted.len() > 1 {
        output::remark(
            "Recording the links at the node. If this is interrupted, all links still work, but \
             `jeton list` lists the unrecorded ones only from their first use on.",
        );
    }
    let bar = progress::bar(minted.len(), "recording");
    let recorded = recorder.record(&minted, &bar);
    bar.finish_and_clear();
    recorded
}

impl MintArgs {
    /// Returns the orders of the command line or of the file.
    fn orders(&self, check: &OrderCheck, now: UnixSeconds) -> Result<Vec<Order>, Failure> {
        let lifetime = self.expires.lifetime(now).map_err(|error| {
            Failure::new(&error, "--expires takes a span such as 1h or 7d, or a time in the future")
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

    /// Returns the output format; `None` if the sheet is the only output.
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
        "warning: the sheet has {cards} cards; browsers may have problems with more than {}\n\
         hint: split the table and mint a sheet for each part; `--format csv` has no such limit",
        sheet::CARDS_EASY_MAX
    )
}

fn batch_remark(minted: &[Minted]) -> String {
    let first = minted.first().map(|minted| minted.claims.nonce.batch().to_string());
    let batch = first.unwrap_or_default();
    let links = counted(minted.len(), "link");
    format!("{links}, batch {batch}. To revoke all of them: jeton revoke --batch {batch}")
}

fn draw(minted: &[Minted]) -> Result<(), Failure> {
    for minted in minted {
        output::remark(&format!("{}:", minted.claims.user));
        output::remark(&qr::draw(&minted.links.scan)?);
    }
    Ok(())
}

fn formatted(minted: &[Minted], format: MintFormat) -> Result<String, Failure> {
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

fn table(minted: &[Minted]) -> Table {
    Table::of(
        minted,
        &[
            ("id", |minted| minted.token.id().nonce.to_string().into()),
            ("key_id", |minted| minted.token.id().key_id.to_string().into()),
            ("batch", |minted| minted.claims.nonce.batch().to_string().into()),
            ("user", |minted| minted.claims.user.as_str().into()),
            ("profile_type", |minted| minted.kind.as_str().into()),
            ("uses", |minted| minted.claims.uses.count().into()),
            ("network", |minted| minted.claims.network.map(|network| network.to_string()).into()),
            ("issued_at", |minted| minted.claims.issued_at.to_string().into()),
            ("expires_at", |minted| minted.claims.expires_at().to_string().into()),
            ("import_url", |minted| minted.links.import.as_str().into()),
            ("download_url", |minted| minted.links.download.as_str().into()),
            ("share_url", |minted| minted.links.share.as_str().into()),
            ("token", |minted| minted.token.as_str().into()),
        ],
    )
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
    fn the_url_format_is_the_import_link_alone() {
        let minted = minted();
        let url = formatted(&minted, MintFormat::Url).unwrap();
        let lines: Vec<_> = url.lines().collect();
        let prefix =
            "openvpn://import-profile/https://vpn.example.com/rest/GetProfileViaToken?token=";
        assert_eq!(lines[0], format!("{prefix}{}", minted[0].token.as_str()));
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_json_format_has_one_object_a_line() {
        let minted = minted();
        let json = formatted(&minted, MintFormat::Json).unwrap();
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
    fn the_text_format_has_the_links_and_the_expiry() {
        let minted = minted();
        let text = formatted(&minted, MintFormat::Text).unwrap();
        let plain = anstream::adapter::strip_str(&text).to_string();
        let share = format!("share     https://vpn.example.com/t/{}", minted[0].token.as_str());
        for line in [share.as_str(), "user      alice", "user      bob", "uses      unlimited"] {
            assert!(plain.lines().any(|found| found == line), "{line} in {plain}");
        }
        assert!(plain.contains("expires   2026-11-23T13:00:00Z"), "{plain}");
    }
}
