//! PEM blocks inside other text, such as the dump that easy-rsa writes above a certificate.

/// A PEM block, including its `BEGIN` and `END` lines.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Pem<'a> {
    /// The text between `BEGIN` and the dashes.
    pub(super) label: &'a str,
    /// The lines, without the last line feed.
    pub(super) text: &'a str,
}

impl Pem<'_> {
    /// Returns `true` if it contains a private key.
    pub(super) fn is_private_key(&self) -> bool {
        matches!(
            self.label,
            "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY"
        )
    }

    /// Returns `true` if it contains an encrypted private key, in PKCS #8 or in OpenSSL's
    /// traditional form (RFC 1421, section 4.6.1.1).
    pub(super) fn is_encrypted(&self) -> bool {
        self.label == "ENCRYPTED PRIVATE KEY" || self.text.contains("\nProc-Type: 4,ENCRYPTED\n")
    }
}

/// Returns the PEM blocks of `text` in their order. Blocks that are not closed or that contain
/// anything but PEM are left out.
pub(super) fn blocks(text: &str) -> Vec<Pem<'_>> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut start = 0;
    for full in text.split_inclusive('\n') {
        let line = full.trim_end();
        if let Some(label) = marker(line, "-----BEGIN ") {
            open = Some((label, start));
        } else if let Some(label) = marker(line, "-----END ") {
            if let Some((begin, from)) = open.take()
                && begin == label
                && let Some(text) = text.get(from..start + line.len())
            {
                found.push(Pem { label, text });
            }
        } else if !is_body(line) {
            open = None;
        }
        start += full.len();
    }
    found
}

fn marker<'a>(line: &'a str, begin: &str) -> Option<&'a str> {
    line.strip_prefix(begin)?.strip_suffix("-----")
}

/// Returns `true` for base64, hex, and the headers and blank line of a traditional encrypted key. A
/// body line must not be able to close the block that it is put into, or be metadata.
fn is_body(line: &str) -> bool {
    line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=:,- ".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extracts_a_block_from_the_text_around_it() {
        let text = "Certificate:\n Data: <x>\n-----BEGIN A-----\nAAAA\n-----END A-----\nrest";
        let found = blocks(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].label, "A");
        assert_eq!(found[0].text, "-----BEGIN A-----\nAAAA\n-----END A-----");
    }

    #[test]
    fn leaves_out_blocks_that_are_unclosed_or_contain_other_text() {
        for text in [
            "-----BEGIN A-----\nAAAA\n",
            "-----BEGIN A-----\nAAAA\n-----END B-----\n",
            "-----BEGIN A-----\n</cert>\n-----END A-----\n",
            "-----BEGIN A-----\n# OVPN\n-----END A-----\n",
            "-----END A-----\n",
        ] {
            assert!(blocks(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn recognizes_both_forms_of_an_encrypted_key() {
        let new = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----";
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nAA\n\
                   -----END RSA PRIVATE KEY-----";
        for text in [new, old] {
            let found = blocks(text);
            assert!(found[0].is_private_key() && found[0].is_encrypted(), "{text}");
        }
    }
}
