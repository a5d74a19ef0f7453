//! Serial numbers of certificates.

use std::fmt;

/// The serial number of a certificate, as upper-case hex digits without leading zeros.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Serial(String);

impl Serial {
    /// Reads hex digits as OpenSSL writes them; `None` for anything else.
    pub(super) fn from_hex(digits: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
        if digits.is_empty() || !digits.bytes().all(hex) {
            return None;
        }
        Some(Self(digits.trim_start_matches('0').to_owned()))
    }

    /// Takes the content octets of a DER integer.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        Self(digits.trim_start_matches('0').to_owned())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_compared_as_numbers() {
        assert_eq!(Serial::from_hex("0A1B"), Serial::from_hex("A1B"));
        assert_eq!(Serial::from_hex("0A1B"), Some(Serial::from_bytes(&[0, 0x0a, 0x1b])));
        for digits in ["", "0x1", "a1", "A 1", "G"] {
            assert_eq!(Serial::from_hex(digits), None, "{digits}");
        }
    }
}
