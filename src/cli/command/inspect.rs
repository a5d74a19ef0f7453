//! `jeton inspect`: shows the claims of a token, and whether its signature is valid.

use std::path::PathBuf;

use clap::ValueHint;
use serde_json::{Value, json};

use crate::api::inspection::{Prospect, Would};
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::pasted;
use crate::cli::terminal::facts::Facts;
use crate::cli::terminal::format::InspectFormat;
use crate::cli::terminal::table::to_json;
use crate::cli::terminal::{moment, output};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::failure::Failure;
use crate::humanize::Moment;
use crate::keyring::Keyring;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::{
    Claims, KeyId, Purpose, TimeError, UnixSeconds, UntrustedToken, VerifyError, verify,
};

const EXAMPLES: &str = "\
Examples:
  jeton inspect -                      paste the link and press Enter; it stays out of
                                       the shell history
  jeton inspect - --node < link.txt    also ask the node what a click would do
  jeton inspect https://vpn.example.com/t/AT8qnAEAA... --keys ./trusted

This spends no use. The exit code is 1 if the text is not a token, or if its signature
was checked and is not valid. An expired token is shown as such, with exit code 0.";

/// Show the content of a link or token, offline
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// Token or link, or `-` to read one from stdin
    #[arg(value_name = "TOKEN|URL|-")]
    token: String,

    /// Output format
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    format: InspectFormat,

    /// Directory of trusted keys to check the signature with [default: `keys.trusted` in the
    /// configuration]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    keys: Option<PathBuf>,

    /// Ask the node on this machine what a click would do; this spends no use
    #[arg(long)]
    node: bool,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

struct Inspection {
    key_id: KeyId,
    claims: Claims,
    signature: Signature,
    now: UnixSeconds,
    forecast: Option<Prospect>,
}

/// What is known about the signature of a token.
enum Signature {
    Holds,
    Fails(VerifyError),
    NotChecked,
}

pub(crate) fn run(args: InspectArgs, global: &Global) -> Result<(), Failure> {
    let text = pasted::read(&args.token)?;
    let token = pasted::token(&text)?;
    let untrusted = UntrustedToken::parse(token)?;
    let inspection = Inspection {
        key_id: untrusted.untrusted_key_id(),
        claims: untrusted.untrusted_claims().map_err(VerifyError::Claims)?,
        signature: check(token, args.keys, global)?,
        now: SystemClock.now(),
        forecast: if args.node { Some(ask_node(token, &args.passphrase, global)?) } else { None },
    };
    output::show(&match args.format {
        InspectFormat::Text => inspection.facts().to_text(),
        InspectFormat::Json => to_json(&inspection.json())?,
    })?;
    match inspection.signature {
        Signature::Fails(error) => Err(error.into()),
        Signature::Holds | Signature::NotChecked => Ok(()),
    }
}

/// Checks the signature with the keys that the command line names, or else with those of the
/// configuration, if there is one.
fn check(token: &str, keys: Option<PathBuf>, global: &Global) -> Result<Signature, Failure> {
    let keys = match keys {
        Some(dir) => Keyring::load(&dir)?,
        None if global.config.is_some() => Keyring::load(&global.load()?.keys.trusted)?,
        None => match Config::load(None).map(|config| Keyring::load(&config.keys.trusted)) {
            Ok(Ok(keys)) => keys,
            Ok(Err(_)) | Err(_) => Keyring::default(),
        },
    };
    if keys.is_empty() {
        output::remark(
            "signature not checked: no trusted keys found\nhint: name their directory with --keys \
             DIR, or a configuration with --config FILE",
        );
        return Ok(Signature::NotChecked);
    }
    Ok(verify(token, &keys).map_or_else(Signature::Fails, |_| Signature::Holds))
}

fn ask_node(
    token: &str,
    passphrase: &PassphraseArgs,
    global: &Global,
) -> Result<Prospect, Failure> {
    Ok(AdminClient::open(&global.load()?, passphrase)?.inspect(token)?)
}

impl Inspection {
    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        facts.add("id", self.claims.nonce.to_string());
        facts.add("batch", self.claims.nonce.batch().to_string());
        facts.add("key", self.key_id.to_string());
        facts.add("signature", self.signature.in_words());
        facts.add("user", self.claims.user.as_str());
        match self.claims.purpose {
            Purpose::Profile(kind) => facts.add("kind", kind.as_str()),
            Purpose::Admin(role) => facts.add("role", format!("{role} (no profile)")),
        }
        facts.add("uses", self.claims.uses.to_string());
        if let Some(network) = self.claims.network {
            facts.add("network", network.to_string());
        }
        facts.add("issued", moment::both(self.claims.issued_at));
        facts.add("expires", moment::both(self.claims.expires_at()));
        facts.add("now", self.validity());
        if let Some(forecast) = &self.forecast {
            facts.add("a click", describe(forecast));
        }
        facts
    }

    fn json(&self) -> Value {
        let (kind, role) = match self.claims.purpose {
            Purpose::Profile(kind) => (Some(kind.as_str()), None),
            Purpose::Admin(role) => (None, Some(role.to_string())),
        };
        json!({
            "id": self.claims.nonce.to_string(),
            "batch": self.claims.nonce.batch().to_string(),
            "key_id": self.key_id.to_string(),
            "signature": self.signature.as_str(),
            "user": self.claims.user,
            "profile_type": kind,
            "role": role,
            "uses": self.claims.uses.count(),
            "network": self.claims.network.map(|network| network.to_string()),
            "issued_at": self.claims.issued_at.to_string(),
            "expires_at": self.claims.expires_at().to_string(),
            "valid_now": self.claims.validate_time(self.now).is_ok(),
            "node": self.forecast.as_ref().map(|forecast| {
                let Prospect { would, reason, uses_left, .. } = forecast;
                json!({ "would": would, "reason": reason, "uses_left": uses_left })
            }),
        })
    }

    fn validity(&self) -> String {
        let expires_at = self.claims.expires_at();
        match self.claims.validate_time(self.now) {
            Ok(()) => format!("valid, expires {}", Moment::end(expires_at, self.now).relative),
            Err(TimeError::Expired(at)) => {
                format!("expired {}", Moment::end(at, self.now).relative)
            }
            Err(TimeError::NotYet(at)) => {
                format!("not yet valid, begins {}", Moment::beginning(at, self.now).relative)
            }
        }
    }
}

impl Signature {
    const fn in_words(&self) -> &'static str {
        match self {
            Self::Holds => "valid",
            Self::NotChecked => "not checked",
            Self::Fails(VerifyError::UnknownKey(_)) => "not checked: no trusted key has this id",
            Self::Fails(VerifyError::KeyPurpose { .. }) => "by a key for another purpose",
            Self::Fails(_) => "NOT VALID",
        }
    }

    /// Returns the value in JSON.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::NotChecked => "not checked",
            Self::Fails(VerifyError::UnknownKey(_)) => "by no trusted key",
            Self::Fails(VerifyError::KeyPurpose { .. }) => "by a key for another purpose",
            Self::Fails(_) => "DOES NOT HOLD",
        }
    }
}

fn describe(forecast: &Prospect) -> String {
    match (forecast.would, forecast.uses_left, &forecast.reason) {
        (Would::Deliver, None, _) => "would deliver the profile".to_owned(),
        (Would::Deliver, Some(left), _) => {
            format!("would deliver the profile, uses left now: {left}")
        }
        (Would::Refuse, _, Some(reason)) => format!("would be refused: {reason}"),
        (Would::Refuse, _, None) => "would be refused".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::tests::{counting, minter, order};

    const ISSUED_AT: UnixSeconds = UnixSeconds::new(1_795_435_200);

    fn inspection(signature: Signature, now: UnixSeconds) -> Inspection {
        let minted = minter().mint(&[order("alice")], ISSUED_AT, counting()).unwrap();
        Inspection {
            key_id: minted[0].token.id().key_id,
            claims: minted[0].claims.clone(),
            signature,
            now,
            forecast: None,
        }
    }

    fn plain(inspection: &Inspection) -> String {
        anstream::adapter::strip_str(&inspection.facts().to_text()).to_string()
    }

    #[test]
    fn shows_the_claims() {
        let text = plain(&inspection(Signature::Holds, ISSUED_AT));
        for line in [
            "id         AQEBAQICAgICAgICAgICAg",
            "batch      01010101",
            "signature  valid",
            "user       alice",
            "kind       user-locked",
            "uses       1",
            "now        valid, expires in 1 hour",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn shows_validity_and_signature_separately() {
        let late = inspection(Signature::NotChecked, ISSUED_AT.plus(3_600));
        assert!(plain(&late).contains("signature  not checked"));
        assert!(
            plain(&late).contains("now        expired less than a minute ago"),
            "{}",
            plain(&late)
        );
        assert_eq!(late.json()["valid_now"], false);
        let early = inspection(Signature::Fails(VerifyError::Signature), ISSUED_AT.minus(120));
        assert!(plain(&early).contains("signature  NOT VALID"));
        assert!(plain(&early).contains("now        not yet valid, begins in 1 minute"));
        assert_eq!(early.json()["signature"], "DOES NOT HOLD");
    }

    #[test]
    fn describes_the_forecast_of_the_node() {
        let forecast = |json: &str| -> Prospect { serde_json::from_str(json).unwrap() };
        for (json, text) in [
            (r#"{"would":"deliver","reason":null,"uses_left":2}"#, "uses left now: 2"),
            (r#"{"would":"deliver","uses_left":null}"#, "would deliver the profile"),
            (r#"{"would":"refuse","reason":"used up"}"#, "would be refused: used up"),
        ] {
            assert!(describe(&forecast(json)).contains(text), "{json}");
        }
    }
}
