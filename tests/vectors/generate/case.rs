//! One vector, and its file.

use std::fmt::Write as _;

use crate::bytes::Key;

pub(crate) struct Case {
    pub name: String,
    pub reason: String,
    /// The seed of the signing key.
    pub seed: [u8; 32],
    /// The purpose and public key of each trusted key.
    pub trusted: Vec<(&'static str, [u8; 32])>,
    pub token: String,
    pub now: u64,
    pub verdict: Verdict,
}

pub(crate) enum Verdict {
    Accept(ExpectedClaims),
    Refuse(&'static str),
}

/// The claims of an accepted token.
pub(crate) struct ExpectedClaims {
    pub purpose: &'static str,
    pub nonce: Vec<u8>,
    pub issued_at: u64,
    pub expires_at: u64,
    pub uses: String,
    pub user: String,
    pub network: Option<&'static str>,
}

impl Case {
    pub(crate) fn to_toml(&self) -> String {
        let mut out = String::from("# A test vector. Its seed is public: never trust its key.\n");
        let _ = writeln!(out, "name = {}", quoted(&self.name));
        let _ = writeln!(out, "reason = {}", quoted(&self.reason));
        let _ = writeln!(out, "test_seed = \"{}\"", hex(&self.seed));
        let _ = writeln!(out, "token = {}", quoted(&self.token));
        let _ = writeln!(out, "now = {}", self.now);
        if let Verdict::Refuse(error) = self.verdict {
            let _ = writeln!(out, "error = \"{error}\"");
        }
        for (purpose, public) in &self.trusted {
            let _ = writeln!(out, "\n[[trusted]]\npurpose = \"{purpose}\"");
            let _ = writeln!(out, "public_key = \"{}\"", hex(public));
        }
        if let Verdict::Accept(claims) = &self.verdict {
            let _ = writeln!(out, "\n[claims]\npurpose = \"{}\"", claims.purpose);
            let _ = writeln!(out, "nonce = \"{}\"", hex(&claims.nonce));
            let _ = writeln!(out, "issued_at = {}", claims.issued_at);
            let _ = writeln!(out, "expires_at = {}", claims.expires_at);
            let _ = writeln!(out, "uses = \"{}\"", claims.uses);
            let _ = writeln!(out, "user = {}", quoted(&claims.user));
            if let Some(network) = claims.network {
                let _ = writeln!(out, "network = \"{network}\"");
            }
        }
        out
    }
}

/// Returns the key that signs profile tokens.
pub(crate) fn profile_key() -> Key {
    Key::new(0x11)
}

/// Returns the key that signs admin tokens.
pub(crate) fn admin_key() -> Key {
    Key::new(0x22)
}

/// Returns both keys, each trusted for its purpose.
pub(crate) fn trusted() -> Vec<(&'static str, [u8; 32])> {
    vec![("profile", profile_key().public), ("admin", admin_key().public)]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a TOML basic string in ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}
