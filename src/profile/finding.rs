//! The rules of the lint, and its findings.

use std::fmt;

/// One rule that a profile or template breaks, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The line, counted from 1; `None` for a finding about the whole text.
    pub line: Option<usize>,
    /// The directive, block or metadata key. Empty if the text could be part of a private key that
    /// lost its tags.
    pub name: String,
    /// The rule.
    pub rule: Rule,
}

impl Finding {
    pub(super) fn new(line: Option<usize>, name: &str, rule: Rule) -> Self {
        Self { line, name: without_secrets(name), rule }
    }

    /// Returns `true` if a client could reject or misread the profile, which is then not delivered.
    /// Other findings are advice.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        self.rule.is_fatal()
    }
}

/// Returns an empty string instead of a name that could be base64 or hex, which have digits or
/// capitals in every few characters.
fn without_secrets(name: &str) -> String {
    let word = |b: u8| b.is_ascii_lowercase() || b == b'-';
    let known = super::directive::class(name) != super::directive::Class::Unknown
        || super::directive::is_meta_key(name);
    if known || (name.len() <= 24 && name.bytes().all(word)) {
        name.to_owned()
    } else {
        String::new()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.name.is_empty() {
            write!(f, "`{}`: ", self.name)?;
        }
        f.write_str(self.rule.advice())
    }
}

/// Findings in the order of their lines, displayed with `; ` between them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Returns `true` if one of them is fatal.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.iter().any(Finding::is_fatal)
    }

    /// Returns the fatal ones as an error.
    pub(super) fn deny_fatal(mut self) -> Result<(), Self> {
        self.0.retain(Finding::is_fatal);
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

/// A rule of the lint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// The text has more bytes than OpenVPN 3 accepts.
    ProfileTooLong,
    /// A line has more bytes than an engine accepts.
    LineTooLong,
    /// A name has more bytes than OpenVPN 3 accepts.
    NameTooLong,
    /// A control character other than a tab.
    ControlCharacter,
    /// Quotes or backslashes that the engines read differently.
    Quoting,
    /// A tag that is not alone on its line, or a closing tag without a block.
    Tag,
    /// A block without its closing tag.
    UnclosedBlock,
    /// A tag inside a block.
    NestedBlock,
    /// A block that occurs twice.
    RepeatedBlock,
    /// A block that no client accepts.
    UnknownBlock,
    /// A metadata block without its end.
    UnclosedMeta,
    /// Metadata inside a block, where OpenVPN 3 still reads it.
    MetaInBlock,
    /// Metadata that is not `KEY=VALUE` with an uppercase key.
    MetaMalformed,
    /// Metadata written as a directive.
    MetaAsDirective,
    /// A directive with the two leading dashes of the command line.
    Dashes,
    /// A directive for servers.
    ServerOnly,
    /// A directive that OpenVPN 3 accepts only from the server.
    PushOnly,
    /// A directive that starts a program.
    Script,
    /// A directive that OpenVPN Connect rejects.
    Unsupported,
    /// A directive that OpenVPN 2 no longer supports.
    Removed,
    /// A command-line operation.
    Standalone,
    /// The marker of a profile that is not for clients.
    GenericConfig,
    /// A reference to a file that the user does not have.
    FileReference,
    /// A directive that is not allowed in `<connection>`.
    NotForConnection,
    /// Two TLS keys, of which clients use only one.
    TwoTlsKeys,
    /// `client` is missing.
    NoClient,
    /// `remote` is missing.
    NoRemote,
    /// Neither `<ca>` nor `peer-fingerprint` is there.
    NoCa,
    /// This kind requires a certificate and its key.
    NoCertificate,
    /// This kind requires `auth-user-pass`.
    NoAuthUserPass,
    /// A server-locked profile requires `setenv CLIENT_CERT 0`.
    NoClientCertZero,
    /// A line or block that this kind must not have.
    KindForbids,
    /// The name of another user.
    OtherUser,
    /// A block without the PEM that it is for.
    NoPem,
    /// An autologin profile whose key requires a passphrase.
    EncryptedKey,
    /// Advice: a directive that no known client supports.
    UnknownDirective,
    /// Advice: any certificate of the CA can impersonate the server.
    NoServerCheck,
    /// Advice: a stored user-locked profile does not name its user.
    NoUsername,
    /// Advice: phones do not support layer 2 devices.
    Tap,
}

impl Rule {
    /// Returns `true` if a profile that breaks this rule is not delivered.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        !matches!(self, Self::UnknownDirective | Self::NoServerCheck | Self::NoUsername | Self::Tap)
    }

    /// Returns what is wrong and how to fix it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ProfileTooLong => "the profile must not exceed 262144 bytes",
            Self::LineTooLong => "a line must not exceed 254 bytes, or 511 bytes inside a block",
            Self::NameTooLong => "a name must not exceed 64 bytes",
            Self::ControlCharacter => "remove the control character",
            Self::Quoting => {
                "clients disagree on these quotes or backslashes: put closed quotes around the \
                 whole word"
            }
            Self::Tag => "a tag must be alone on its line, such as <ca> or </ca>",
            Self::UnclosedBlock => {
                "the block is not closed: its closing tag must be alone at the start of a line"
            }
            Self::NestedBlock => "a tag inside a block: close the outer block first",
            Self::RepeatedBlock => {
                "the block occurs twice, and clients differ in which one they use"
            }
            Self::UnknownBlock => "no client accepts a block of this name: remove it",
            Self::UnclosedMeta => "the metadata block is not closed: add its _STOP line",
            Self::MetaInBlock => "move the metadata out of the block",
            Self::MetaMalformed => "metadata must be KEY=VALUE with an uppercase key",
            Self::MetaAsDirective => "this is metadata: begin the line with # OVPN_ACCESS_SERVER_",
            Self::Dashes => "remove the two dashes: they are for the command line",
            Self::ServerOnly => "this is for servers, and clients reject it: remove it",
            Self::PushOnly => "OpenVPN Connect accepts this only from the server: push it instead",
            Self::Script => "this starts a program on the user's device: remove it",
            Self::Unsupported => {
                "OpenVPN Connect rejects this: remove it, or write `setenv opt` before it"
            }
            Self::Removed => "clients no longer support this and reject it: remove it",
            Self::Standalone => "this is a command-line operation: remove it",
            Self::GenericConfig => "clients reject a profile with GENERIC_CONFIG: remove it",
            Self::FileReference => {
                "this names a file that the user does not have: put its content into a block"
            }
            Self::NotForConnection => "this is not allowed in <connection>: move it out",
            Self::TwoTlsKeys => "only one of tls-auth, tls-crypt and tls-crypt-v2 can be used",
            Self::NoClient => "the line `client` is missing",
            Self::NoRemote => "a line `remote HOST PORT` is missing",
            Self::NoCa => "both <ca> and peer-fingerprint are missing: add one",
            Self::NoCertificate => "this kind of profile requires both <cert> and <key>",
            Self::NoAuthUserPass => "this kind of profile requires the line `auth-user-pass`",
            Self::NoClientCertZero => {
                "a server-locked profile requires the line `setenv CLIENT_CERT 0`"
            }
            Self::KindForbids => "this is not allowed in this kind of profile: remove it",
            Self::OtherUser => "this names another user than the one the profile is for",
            Self::NoPem => "the block does not contain the expected PEM",
            Self::EncryptedKey => {
                "an autologin profile must not ask for a passphrase, but its key requires one"
            }
            Self::UnknownDirective => "no known client supports this directive",
            Self::NoServerCheck => {
                "any certificate of this CA can impersonate the server: add \
                 `remote-cert-tls server`"
            }
            Self::NoUsername => {
                "nothing locks the profile to its user: add # OVPN_ACCESS_SERVER_USERNAME=NAME"
            }
            Self::Tap => "phones do not support `dev tap`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_its_line_name_and_advice() {
        let finding = Finding::new(Some(3), "up", Rule::Script);
        let text = "line 3: `up`: this starts a program on the user's device: remove it";
        assert_eq!(finding.to_string(), text);
    }

    #[test]
    fn a_word_that_could_be_part_of_a_key_is_not_shown() {
        for word in ["MIGHAgEAMBMGByqGSM49", "6acef03f62675b4b1bbd03e53b187727", "aAbcdefgh", "0"] {
            assert_eq!(Finding::new(Some(1), word, Rule::UnknownDirective).name, "", "{word}");
        }
        assert_eq!(Finding::new(Some(1), "nobnid", Rule::UnknownDirective).name, "nobnid");
        assert_eq!(Finding::new(Some(1), "AUTOLOGIN", Rule::KindForbids).name, "AUTOLOGIN");
    }
}
