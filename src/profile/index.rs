//! `index.txt`, in which an easy-rsa (OpenSSL) authority keeps the state of
//! every certificate it issued.
//!
//! ```text
//! line    = status TAB expiry TAB revocation TAB serial TAB file TAB subject LF
//! status  = V (valid) | R (revoked) | E (expired)
//! expiry  = YYMMDDhhmmssZ | YYYYMMDDhhmmssZ
//! revocation = the same, perhaps with `,reason`; empty unless revoked
//! serial  = an even number of upper-case hex digits
//! subject = /CN=alice, as X509_NAME_oneline writes it
//! ```
//!
//! One line that does not read like this makes the whole file damaged, and
//! then nobody gets a profile: what cannot be read may be a revocation.

use std::collections::HashMap;

use thiserror::Error;

use super::certificate::Serial;
use crate::token::UserName;

/// The state of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    Expired,
    Revoked,
    Valid,
}

/// The states of all certificates of an authority.
#[derive(Debug)]
pub(super) struct Index {
    by_serial: HashMap<Serial, Status>,
    revoked_names: Vec<String>,
}

impl Index {
    /// Reads a whole `index.txt`.
    ///
    /// # Errors
    ///
    /// [`IndexFault`] for the first line that is damaged.
    pub(super) fn parse(text: &str) -> Result<Self, IndexFault> {
        let mut index = Self { by_serial: HashMap::new(), revoked_names: Vec::new() };
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            // OpenSSL closes every line: one that is open was cut.
            let row = line.strip_suffix('\n').and_then(Row::parse);
            index.insert(row.ok_or(IndexFault { line: number })?);
        }
        Ok(index)
    }

    fn insert(&mut self, row: Row<'_>) {
        if row.status == Status::Revoked {
            self.revoked_names.push(row.common_name.to_owned());
        }
        // A serial that stands twice is as bad as its worst line.
        let status = self.by_serial.entry(row.serial).or_insert(row.status);
        match row.status {
            Status::Revoked => *status = Status::Revoked,
            Status::Expired if *status == Status::Valid => *status = Status::Expired,
            Status::Expired | Status::Valid => {}
        }
    }

    /// Returns the state of the certificate with this serial number; `None`
    /// if the authority does not know it.
    pub(super) fn status(&self, serial: &Serial) -> Option<Status> {
        self.by_serial.get(serial).copied()
    }

    /// Whether a certificate of this name was revoked, whatever came after.
    pub(super) fn has_revoked(&self, user: &UserName) -> bool {
        let name = oneline(user.as_str());
        self.revoked_names.contains(&name)
    }
}

/// Where `index.txt` is damaged. Its content is not shown.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("line {line} is damaged")]
pub struct IndexFault {
    /// The line, counted from 1.
    pub line: usize,
}

struct Row<'a> {
    status: Status,
    serial: Serial,
    /// As X509_NAME_oneline spells it; empty if the subject has none.
    common_name: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        let (status, expiry, revocation) = (next()?, next()?, next()?);
        let (serial, file, subject) = (next()?, next()?, next()?);
        let status = match status {
            "E" => Status::Expired,
            "R" => Status::Revoked,
            "V" => Status::Valid,
            _ => return None,
        };
        let revoked_at = revocation.split(',').next().unwrap_or("");
        let times_fit = is_time(expiry)
            && match status {
                Status::Revoked => is_time(revoked_at),
                Status::Expired | Status::Valid => revocation.is_empty(),
            };
        let whole = next().is_none() && !file.is_empty() && subject.starts_with('/');
        if !(times_fit && whole && serial.len().is_multiple_of(2)) {
            return None;
        }
        Some(Self { status, serial: Serial::from_hex(serial)?, common_name: common_name(subject) })
    }
}

/// Whether it is an ASN.1 UTCTime or GeneralizedTime.
fn is_time(text: &str) -> bool {
    let digits = text.strip_suffix('Z').unwrap_or("");
    matches!(digits.len(), 12 | 14) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// User names hold no slash, so the first one ends the name.
fn common_name(subject: &str) -> &str {
    let found = subject.split_once("/CN=").map_or("", |(_, name)| name);
    found.split('/').next().unwrap_or("")
}

/// Spells a name as OpenSSL's X509_NAME_oneline does.
fn oneline(name: &str) -> String {
    let spell = |byte: u8| match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    };
    name.bytes().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "V\t290225122213Z\t\t2AA9\tunknown\t/CN=alice\n\
         R\t290225122213Z\t261123122213Z,keyCompromise\t4F65\tunknown\t/C=DE/CN=carol/x=y\n\
         E\t20240225122213Z\t\t0B\tunknown\t/CN=dave\n";

    fn status(index: &Index, serial: &str) -> Option<Status> {
        index.status(&Serial::from_hex(serial).unwrap())
    }

    #[test]
    fn every_state_is_read() {
        let index = Index::parse(INDEX).unwrap();
        assert_eq!(status(&index, "2AA9"), Some(Status::Valid));
        assert_eq!(status(&index, "4F65"), Some(Status::Revoked));
        assert_eq!(status(&index, "0B"), Some(Status::Expired));
        assert_eq!(status(&index, "99"), None);
        assert!(index.has_revoked(&UserName::new("carol").unwrap()));
        assert!(!index.has_revoked(&UserName::new("alice").unwrap()));
    }

    #[test]
    fn an_empty_index_knows_nobody() {
        assert_eq!(status(&Index::parse("").unwrap(), "2AA9"), None);
    }

    #[test]
    fn a_serial_that_stands_twice_is_revoked_if_one_line_says_so() {
        let revoked = "R\t290225122213Z\t261123122213Z\t2AA9\tunknown\t/CN=alice\n";
        for text in [format!("{INDEX}{revoked}"), format!("{revoked}{INDEX}")] {
            assert_eq!(status(&Index::parse(&text).unwrap(), "2AA9"), Some(Status::Revoked));
        }
    }

    #[test]
    fn one_damaged_line_damages_the_file() {
        for line in [
            "",
            "V",
            "v\t290225122213Z\t\t2AA9\tunknown\t/CN=a",
            "V 290225122213Z  2AA9 unknown /CN=a",
            "V\t290225122213Z\t2AA9\tunknown\t/CN=a",
            "V\t290225122213Z\t261123122213Z\t2AA9\tunknown\t/CN=a",
            "R\t290225122213Z\t\t2AA9\tunknown\t/CN=a",
            "R\t290225122213Z\t,reason\t2AA9\tunknown\t/CN=a",
            "V\t2902251222Z\t\t2AA9\tunknown\t/CN=a",
            "V\t290225122213Z\t\t2AA\tunknown\t/CN=a",
            "V\t290225122213Z\t\t\tunknown\t/CN=a",
            "V\t290225122213Z\t\t2aa9\tunknown\t/CN=a",
            "V\t290225122213Z\t\t2AA9\t\t/CN=a",
            "V\t290225122213Z\t\t2AA9\tunknown\tCN=a",
            "V\t290225122213Z\t\t2AA9\tunknown\t/CN=a\tmore",
            "\0\0\0\0",
        ] {
            let text = format!("{INDEX}{line}\n");
            assert_eq!(Index::parse(&text).unwrap_err(), IndexFault { line: 4 }, "{line:?}");
        }
    }

    #[test]
    fn an_index_cut_anywhere_is_damaged_or_ends_with_a_whole_line() {
        for len in 0..INDEX.len() {
            let cut = &INDEX[..len];
            assert_eq!(Index::parse(cut).is_ok(), cut.is_empty() || cut.ends_with('\n'), "{len}");
        }
    }

    #[test]
    fn names_outside_ascii_are_found() {
        let line = "R\t290225122213Z\t261123122213Z\t01\tunknown\t/CN=J\\xC3\\xBCrgen\n";
        let index = Index::parse(line).unwrap();
        assert!(index.has_revoked(&UserName::new("J\u{fc}rgen").unwrap()));
    }
}
