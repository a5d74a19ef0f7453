//! What the lint can find in a profile, and what to do about it.

use std::fmt;

/// One rule that a profile or template breaks, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The line, counted from 1; `None` for what the text as a whole lacks.
    pub line: Option<usize>,
    /// The directive, block or metadata key it is about. Empty where the text
    /// could be part of a key that lost its tags.
    pub name: String,
    /// The rule.
    pub rule: Rule,
}

impl Finding {
    pub(super) fn new(line: Option<usize>, name: &str, rule: Rule) -> Self {
        Self { line, name: shown(name), rule }
    }

    /// Whether some client would reject or misread the profile, so that it
    /// is not handed out. The others are advice.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        self.rule.is_fatal()
    }
}

/// Lets nothing through that could be base64 or hex: those have digits or
/// capitals in every few characters.
fn shown(name: &str) -> String {
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

/// Findings in the order of their lines, written with `; ` between them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Whether one of them is fatal.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.iter().any(Finding::is_fatal)
    }

    /// Returns the fatal ones.
    #[must_use]
    pub fn fatal(&self) -> Self {
        Self(self.0.iter().filter(|finding| finding.is_fatal()).cloned().collect())
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
    /// The text has more bytes than OpenVPN 3 takes.
    ProfileTooLong,
    /// A line has more bytes than an engine takes.
    LineTooLong,
    /// A name has more bytes than OpenVPN 3 takes.
    NameTooLong,
    /// A control character other than a tab.
    ControlCharacter,
    /// Quotes or backslashes that the engines read differently.
    Quoting,
    /// A tag that is not alone on its line, or closes nothing.
    Tag,
    /// A block without its closing tag.
    UnclosedBlock,
    /// A tag inside a block.
    NestedBlock,
    /// A block that stands twice.
    RepeatedBlock,
    /// A block that no client takes.
    UnknownBlock,
    /// A metadata block without its end.
    UnclosedMeta,
    /// Metadata inside a block, where OpenVPN 3 would still read it.
    MetaInBlock,
    /// Metadata that is not `KEY=VALUE` with a key in capitals.
    MetaMalformed,
    /// Metadata written as a directive.
    MetaAsDirective,
    /// A directive with the dashes of the command line.
    Dashes,
    /// A directive for servers.
    ServerOnly,
    /// A directive that clients take from the server only.
    PushOnly,
    /// A directive that starts a program.
    Script,
    /// A directive that OpenVPN Connect refuses.
    Unsupported,
    /// A directive that is no longer there.
    Removed,
    /// An operation of the command line.
    Standalone,
    /// The mark of a profile that cannot be used as it is.
    GenericConfig,
    /// A file that the holder does not have.
    FileReference,
    /// A directive that does not belong into `<connection>`.
    NotForConnection,
    /// Two keys of which clients take one.
    TwoTlsKeys,
    /// `client` is missing.
    NoClient,
    /// `remote` is missing.
    NoRemote,
    /// Nothing tells which server to trust.
    NoCa,
    /// This kind needs a certificate and its key.
    NoCertificate,
    /// This kind needs `auth-user-pass`.
    NoAuthUserPass,
    /// A server-locked profile must say that it has no certificate.
    NoClientCertZero,
    /// A line that this kind must not have.
    KindForbids,
    /// Another user than the one it is for.
    OtherUser,
    /// A block without the PEM it is for.
    NoPem,
    /// An autologin profile whose key needs a passphrase.
    EncryptedKey,
    /// Advice: a directive that no client is known to have.
    UnknownDirective,
    /// Advice: any certificate of the CA can play the server.
    NoServerCheck,
    /// Advice: a stored user-locked profile does not name its user.
    NoUsername,
    /// Advice: phones cannot open a layer 2 device.
    Tap,
}

impl Rule {
    /// Whether a profile that breaks it is not handed out.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        !matches!(self, Self::UnknownDirective | Self::NoServerCheck | Self::NoUsername | Self::Tap)
    }

    /// Says what is wrong and what to do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::ProfileTooLong => "the profile has more than 262144 bytes, shorten it",
            Self::LineTooLong => {
                "the line is too long, at most 254 bytes are allowed, inside a block 511"
            }
            Self::NameTooLong => "the name has more than 64 bytes, shorten it",
            Self::ControlCharacter => "a control character, remove it",
            Self::Quoting => {
                "quotes or backslashes that clients read differently, put quotes around the \
                 whole word and close them"
            }
            Self::Tag => "a tag must be alone on its line, such as <ca> or </ca>",
            Self::UnclosedBlock => {
                "the block is not closed, its closing tag must be alone at the start of a line"
            }
            Self::NestedBlock => "a tag inside a block, close the first block before it",
            Self::RepeatedBlock => "the block stands twice and clients differ in which they take",
            Self::UnknownBlock => "no client takes a block of this name, remove it",
            Self::UnclosedMeta => "the metadata block has no _STOP, add it",
            Self::MetaInBlock => "metadata inside a block, move it out",
            Self::MetaMalformed => "metadata must read KEY=VALUE with a key in capitals",
            Self::MetaAsDirective => {
                "metadata written as a directive, begin the line with # OVPN_ACCESS_SERVER_"
            }
            Self::Dashes => "remove the two dashes, they are for the command line",
            Self::ServerOnly => "it is for servers, clients refuse it, remove it",
            Self::PushOnly => {
                "OpenVPN Connect takes it from the server only, push it there instead"
            }
            Self::Script => "it starts a program on the holder's machine, remove it",
            Self::Unsupported => {
                "OpenVPN Connect refuses it, remove it or write `setenv opt` before it"
            }
            Self::Removed => "clients no longer have it and refuse it, remove it",
            Self::Standalone => "it is an operation of the command line, remove it",
            Self::GenericConfig => "clients refuse a profile with GENERIC_CONFIG, remove it",
            Self::FileReference => {
                "it names a file that the holder does not have, put the content into a block"
            }
            Self::NotForConnection => "it does not belong into <connection>, move it out",
            Self::TwoTlsKeys => "only one of tls-auth, tls-crypt and tls-crypt-v2 can be used",
            Self::NoClient => "the line `client` is missing, add it",
            Self::NoRemote => "a line `remote HOST PORT` is missing, add it",
            Self::NoCa => "neither <ca> nor peer-fingerprint is there, add one",
            Self::NoCertificate => "this kind of profile needs both <cert> and <key>",
            Self::NoAuthUserPass => "this kind of profile needs the line `auth-user-pass`",
            Self::NoClientCertZero => {
                "a server-locked profile needs the line `setenv CLIENT_CERT 0`"
            }
            Self::KindForbids => "this kind of profile must not have it, remove it",
            Self::OtherUser => "it names another user than the one it is for",
            Self::NoPem => "the block does not hold the PEM it is for",
            Self::EncryptedKey => {
                "an autologin profile asks for nothing, but its key needs a passphrase"
            }
            Self::UnknownDirective => "no client is known to have this directive",
            Self::NoServerCheck => {
                "any certificate of this CA can play the server, add `remote-cert-tls server`"
            }
            Self::NoUsername => {
                "nothing locks it to the user, add # OVPN_ACCESS_SERVER_USERNAME=NAME"
            }
            Self::Tap => "phones have no `dev tap`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_what_to_do() {
        let finding = Finding::new(Some(3), "up", Rule::Script);
        let text = "line 3: `up`: it starts a program on the holder's machine, remove it";
        assert_eq!(finding.to_string(), text);
    }

    #[test]
    fn a_word_that_could_be_a_key_is_not_shown() {
        for word in ["MIGHAgEAMBMGByqGSM49", "6acef03f62675b4b1bbd03e53b187727", "aAbcdefgh", "0"] {
            assert_eq!(Finding::new(Some(1), word, Rule::UnknownDirective).name, "", "{word}");
        }
        assert_eq!(Finding::new(Some(1), "nobnid", Rule::UnknownDirective).name, "nobnid");
        assert_eq!(Finding::new(Some(1), "AUTOLOGIN", Rule::KindForbids).name, "AUTOLOGIN");
    }
}
