//! `mint --sheet`: a page to print, with a QR code for each user.
//!
//! The file has all the links in it, so only its owner can read it. An existing file is never
//! overwritten.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use askama::Template;
use indicatif::ProgressBar;
use thiserror::Error;

use crate::cli::terminal::moment;
use crate::failure::Failure;
use crate::mint::{Links, Minted};
use crate::qr::{QrDrawing, TooLong};
use crate::token::ProfileKind;
use crate::token::url::PublicUrl;

/// The number of cards that browsers print without problems.
pub(crate) const CARDS_EASY_MAX: usize = 5_000;

const FOOT: &str = "</body>\n</html>\n";

#[derive(Template)]
#[template(path = "sheet/head.html")]
struct SheetHead {
    batch: String,
    count: usize,
    minted: String,
}

#[derive(Template)]
#[template(path = "sheet/card.html")]
struct Card<'a> {
    user: &'a str,
    site: String,
    batch: String,
    last_step: &'static str,
    expires: String,
    uses: String,
    network: Option<String>,
    qr: QrDrawing,
    share: &'a str,
}

/// Why the sheet was not written.
#[derive(Debug, Error)]
enum SheetError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a card cannot be rendered")]
    Template(#[from] askama::Error),
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// Writes `minted` to a new file at `path`, completely or not at all.
pub(crate) fn write(path: &Path, minted: &[Minted], progress: &ProgressBar) -> Result<(), Failure> {
    create(path, minted, progress).map_err(|error| {
        let what = format!("cannot write the sheet {}", path.display());
        let what = format!("{what}: {}", crate::plain_text::error_chain(&error));
        Failure::say(what, "name a new file in a directory you may write to; no link was shown")
    })
}

fn create(path: &Path, minted: &[Minted], progress: &ProgressBar) -> Result<(), SheetError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or_else(|| Path::new("."));
    if path.symlink_metadata().is_ok() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    // A temporary file has mode 0600, and keeps it.
    let file = tempfile::NamedTempFile::new_in(dir)?;
    let mut out = BufWriter::new(file);
    fill(&mut out, minted, progress)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

fn fill(out: &mut impl Write, minted: &[Minted], progress: &ProgressBar) -> Result<(), SheetError> {
    if let Some(first) = minted.first() {
        let batch = first.claims.nonce.batch().to_string();
        let minted_at = moment::on_paper(first.claims.issued_at);
        SheetHead { batch, count: minted.len(), minted: minted_at }.write_into(out)?;
    }
    for minted in minted {
        Card::of(minted)?.write_into(out)?;
        progress.inc(1);
    }
    out.write_all(FOOT.as_bytes())?;
    Ok(())
}

impl<'a> Card<'a> {
    fn of(minted: &'a Minted) -> Result<Self, TooLong> {
        let Minted { claims, links, kind, .. } = minted;
        Ok(Self {
            user: claims.user.as_str(),
            site: site(links),
            batch: claims.nonce.batch().to_string(),
            last_step: last_step(*kind),
            expires: moment::on_paper(claims.expires_at()),
            uses: match claims.uses.count() {
                Some(1) => "one import or download".to_owned(),
                Some(count) => format!("{count} imports or downloads"),
                None => "any number of imports".to_owned(),
            },
            network: claims.network.map(|network| network.to_string()),
            qr: QrDrawing::for_paper(&links.scan)?,
            share: &links.share,
        })
    }
}

/// Returns the host of the links, by which users recognize the site.
fn site(links: &Links) -> String {
    let url = links.share.split_once("/t/").and_then(|(origin, _)| origin.parse().ok());
    url.map_or_else(String::new, |url: PublicUrl| url.host().to_owned())
}

/// Returns the last step of the instructions on a card.
const fn last_step(kind: ProfileKind) -> &'static str {
    match kind {
        ProfileKind::UserLocked => "Connect with your password.",
        ProfileKind::Autologin => "Connect. No password is needed, so keep the device safe.",
        ProfileKind::ServerLocked => "Connect with your user name and password.",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::mint::tests::{counting, minter, order};
    use crate::token::UnixSeconds;

    fn minted() -> Vec<Minted> {
        let now = UnixSeconds::new(1_795_435_200);
        minter().mint(&[order("alice"), order("<b>&\"bob")], now, counting()).unwrap()
    }

    #[test]
    fn each_user_has_a_card_with_a_code_and_names_are_escaped() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("sheet.html");
        let minted = minted();
        write(&path, &minted, &ProgressBar::hidden()).unwrap();
        let html = std::fs::read_to_string(&path).unwrap();
        assert_eq!((html.matches("<article>").count(), html.matches("<svg").count()), (2, 2));
        assert!(html.contains("batch 01010101") && html.ends_with(FOOT));
        assert!(html.contains(&minted[0].links.share));
        assert_eq!(html.matches("<p class=\"batch\">batch 01010101</p>").count(), 2);
        assert_eq!(html.matches("<p class=\"site\">vpn.example.com</p>").count(), 2);
        assert!(html.find("Scan the code") < html.find("As a last resort, type"));
        assert!(html.contains("VPN for <bdi>alice</bdi>"));
        assert!(html.contains("Valid until</dt><dd>23 November 2026, "));
        assert!(html.contains("one import or download"));
        assert!(!html.contains("<b>&\"bob") && !html.contains("<script"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn never_overwrites_a_file() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("sheet.html");
        std::fs::write(&path, "mine").unwrap();
        let message = write(&path, &minted(), &ProgressBar::hidden()).unwrap_err().to_string();
        assert!(message.contains("sheet.html") && message.contains("exists"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(temp.path().read_dir().unwrap().count(), 1);
    }
}
