//! `index.txt`, in which an easy-rsa (OpenSSL) authority keeps the status of every certificate that
//! it issued.
//!
//! ```text
//! line    = status TAB expiry TAB revocation TAB serial TAB file TAB subject LF
//! status  = V (valid) | R (revoked) | E (expired)
//! expiry  = YYMMDDhhmmssZ | YYYYMMDDhhmmssZ
//! revocation = the same, optionally with `,reason`; empty unless revoked
//! serial  = an even number of upper-case hex digits
//! subject = /CN=alice, as X509_NAME_oneline writes it
//! ```
//!
//! A line in any other form makes the whole file damaged, because it could be a revocation. Then no
//! user gets a profile.

use std::collections::HashMap;

use thiserror::Error;

use super::serial::Serial;
use crate::token::UserName;

/// The status of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CertificateStatus {
    Expired,
    Revoked,
    Valid,
}

/// The status of all certificates of an authority.
#[derive(Debug)]
pub(super) struct Index {
    by_serial: HashMap<Serial, CertificateStatus>,
    revoked_names: Vec<String>,
}

impl Index {
    /// Reads a whole `index.txt`.
    ///
    /// # Errors
    ///
    /// [`IndexFault`] for the first malformed line.
    pub(super) fn parse(text: &str) -> Result<Self, IndexFault> {
        let mut index = Self { by_serial: HashMap::new(), revoked_names: Vec::new() };
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            // OpenSSL ends every line with a line feed. Without it, the file is truncated.
            let entry = line.strip_suffix('\n').and_then(IndexEntry::parse);
            index.insert(entry.ok_or(IndexFault { line: number })?);
        }
        Ok(index)
    }

    fn insert(&mut self, entry: IndexEntry<'_>) {
        if entry.status == CertificateStatus::Revoked {
            self.revoked_names.push(entry.common_name.to_owned());
        }
        // If a serial occurs twice, the worse status wins.
        let status = self.by_serial.entry(entry.serial).or_insert(entry.status);
        match entry.status {
            CertificateStatus::Revoked => *status = CertificateStatus::Revoked,
            CertificateStatus::Expired if *status == CertificateStatus::Valid => {
                *status = CertificateStatus::Expired;
            }
            CertificateStatus::Expired | CertificateStatus::Valid => {}
        }
    }

    /// Returns the status of the certificate with this serial number; `None` if the index does not
    /// list it.
    pub(super) fn status(&self, serial: &Serial) -> Option<CertificateStatus> {
        self.by_serial.get(serial).copied()
    }

    /// Returns `true` if any certificate of this user was revoked.
    pub(super) fn has_revoked(&self, user: &UserName) -> bool {
        let name = oneline(user.as_str());
        self.revoked_names.contains(&name)
    }
}

/// Where `index.txt` is damaged.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("line {line} is malformed")]
pub struct IndexFault {
    /// The line, counted from 1.
    pub line: usize,
}

struct IndexEntry<'a> {
    status: CertificateStatus,
    serial: Serial,
    /// As X509_NAME_oneline writes it; empty if the subject has none.
    common_name: &'a str,
}

impl<'a> IndexEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        let (status, expiry, revocation) = (next()?, next()?, next()?);
        let (serial, file, subject) = (next()?, next()?, next()?);
        let status = match status {
            "E" => CertificateStatus::Expired,
            "R" => CertificateStatus::Revoked,
            "V" => CertificateStatus::Valid,
            _ => return None,
        };
        let revoked_at = revocation.split(',').next().unwrap_or("");
        let times_are_valid = is_time(expiry)
            && match status {
                CertificateStatus::Revoked => is_time(revoked_at),
                CertificateStatus::Expired | CertificateStatus::Valid => revocation.is_empty(),
            };
        let is_complete = next().is_none() && !file.is_empty() && subject.starts_with('/');
        if !(times_are_valid && is_complete && serial.len().is_multiple_of(2)) {
            return None;
        }
        Some(Self { status, serial: Serial::from_hex(serial)?, common_name: common_name(subject) })
    }
}

/// Returns `true` for an ASN.1 UTCTime or GeneralizedTime.
fn is_time(text: &str) -> bool {
    let digits = text.strip_suffix('Z').unwrap_or("");
    matches!(digits.len(), 12 | 14) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Returns the common name. User names contain no slash, so the first one ends it.
fn common_name(subject: &str) -> &str {
    let found = subject.split_once("/CN=").map_or("", |(_, name)| name);
    found.split('/').next().unwrap_or("")
}

/// Writes a name as OpenSSL's X509_NAME_oneline does.
fn oneline(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    };
    name.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "V\t290225122213Z\t\t2AA9\tunknown\t/CN=alice\n\
         R\t290225122213Z\t261123122213Z,keyCompromise\t4F65\tunknown\t/C=DE/CN=carol/x=y\n\
         E\t20240225122213Z\t\t0B\tunknown\t/CN=dave\n";

    fn status(index: &Index, serial: &str) -> Option<CertificateStatus> {
        index.status(&Serial::from_hex(serial).unwrap())
    }

    #[test]
    fn reads_every_status() {
        let index = Index::parse(INDEX).unwrap();
        assert_eq!(status(&index, "2AA9"), Some(CertificateStatus::Valid));
        assert_eq!(status(&index, "4F65"), Some(CertificateStatus::Revoked));
        assert_eq!(status(&index, "0B"), Some(CertificateStatus::Expired));
        assert_eq!(status(&index, "99"), None);
        assert!(index.has_revoked(&UserName::new("carol").unwrap()));
        assert!(!index.has_revoked(&UserName::new("alice").unwrap()));
    }

    #[test]
    fn an_empty_index_lists_no_certificate() {
        assert_eq!(status(&Index::parse("").unwrap(), "2AA9"), None);
    }

    #[test]
    fn a_serial_with_two_entries_is_revoked_if_one_of_them_is() {
        let revoked = "R\t290225122213Z\t261123122213Z\t2AA9\tunknown\t/CN=alice\n";
        for text in [format!("{INDEX}{revoked}"), format!("{revoked}{INDEX}")] {
            assert_eq!(
                status(&Index::parse(&text).unwrap(), "2AA9"),
                Some(CertificateStatus::Revoked)
            );
        }
    }

    #[test]
    fn one_malformed_line_makes_the_index_damaged() {
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
    fn a_truncated_index_is_damaged_unless_it_ends_with_a_complete_line() {
        for len in 0..INDEX.len() {
            let cut = &INDEX[..len];
            assert_eq!(Index::parse(cut).is_ok(), cut.is_empty() || cut.ends_with('\n'), "{len}");
        }
    }

    #[test]
    fn finds_non_ascii_names() {
        let line = "R\t290225122213Z\t261123122213Z\t01\tunknown\t/CN=J\\xC3\\xBCrgen\n";
        let index = Index::parse(line).unwrap();
        assert!(index.has_revoked(&UserName::new("J\u{fc}rgen").unwrap()));
    }
}
