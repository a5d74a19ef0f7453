//! `jeton inspect`: what a token says, and whether it may be believed.

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
use crate::keyring::Keyring;
use crate::signing::passphrase::PassphraseArgs;
use crate::signing::signing_key;
use crate::token::{
    Claims, KeyId, Purpose, TimeError, UnixSeconds, UntrustedToken, VerifyError, verify,
};

const EXAMPLES: &str = "\
Examples:
  jeton inspect -                      paste the link, then Enter: no history keeps it
  jeton inspect - --node < link.txt    and ask the node what a click would do
  jeton inspect https://vpn.example.com/t/AT8qnAEAA... --keys ./trusted

Nothing is spent. The exit code is 0 unless the text is no token, or its signature
was checked and does not hold; an expired token is told, and is no failure.";

/// Say what a link or token means, offline
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// A token, one of the links that carry it, or `-` to read one from stdin
    #[arg(value_name = "TOKEN|URL|-")]
    token: String,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    format: InspectFormat,

    /// Folder of trusted keys to check the signature with [default: the one in
    /// the config]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    keys: Option<PathBuf>,

    /// Ask the node on this machine what a click would do, spending nothing
    #[arg(long)]
    node: bool,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// What is known about a token.
struct Report {
    key_id: KeyId,
    claims: Claims,
    signature: Signature,
    now: UnixSeconds,
    forecast: Option<Prospect>,
}

/// What is known about its signature.
enum Signature {
    Holds,
    Fails(VerifyError),
    NotChecked,
}

/// Reads the token, checks it and shows what it says.
pub(crate) fn run(args: InspectArgs, global: &Global) -> Result<(), Failure> {
    let text = pasted::read(&args.token)?;
    let token = pasted::token(&text)?;
    let untrusted = UntrustedToken::parse(token).map_err(|error| pasted::explain(&error))?;
    let claims = untrusted.untrusted_claims().map_err(VerifyError::Claims);
    let report = Report {
        key_id: untrusted.untrusted_key_id(),
        claims: claims.map_err(|error| pasted::explain(&error))?,
        signature: check(token, args.keys, global)?,
        now: SystemClock.now(),
        forecast: if args.node { Some(ask_node(token, &args.passphrase, global)?) } else { None },
    };
    output::show(&match args.format {
        InspectFormat::Text => report.facts().to_text(),
        InspectFormat::Json => to_json(&report.json())?,
    })?;
    match report.signature {
        Signature::Fails(error) => Err(pasted::explain(&error)),
        Signature::Holds | Signature::NotChecked => Ok(()),
    }
}

/// Checks the signature under the keys that are named, or that can be found.
fn check(token: &str, keys: Option<PathBuf>, global: &Global) -> Result<Signature, Failure> {
    let keys = match keys {
        Some(folder) => Keyring::load(&folder).map_err(|error| signing_key::explain(&error))?,
        None if global.config.is_some() => {
            let folder = global.load()?.keys.trusted;
            Keyring::load(&folder).map_err(|error| signing_key::explain(&error))?
        }
        None => match Config::load(None).map(|config| Keyring::load(&config.keys.trusted)) {
            Ok(Ok(keys)) => keys,
            Ok(Err(_)) | Err(_) => Keyring::default(),
        },
    };
    if keys.is_empty() {
        output::remark(
            "signature not checked: no trusted keys at hand\nhint: --keys DIR, or --config FILE, says \
             where they lie",
        );
        return Ok(Signature::NotChecked);
    }
    Ok(verify(token, &keys).map_or_else(Signature::Fails, |_| Signature::Holds))
}

fn ask_node(token: &str, lock: &PassphraseArgs, global: &Global) -> Result<Prospect, Failure> {
    let config = global.load()?;
    let node = AdminClient::open(&config, lock)?;
    Ok(node.inspect(token)?)
}

impl Report {
    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        facts.add("id", self.claims.nonce.to_string());
        facts.add("batch", self.claims.nonce.batch().to_string());
        facts.add("key", self.key_id.to_string());
        facts.add("signature", self.signature.said());
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
        facts.add("now", self.time_said());
        if let Some(forecast) = &self.forecast {
            facts.add("a click", forecast_said(forecast));
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
            "signature": self.signature.said(),
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

    fn time_said(&self) -> String {
        let expires_at = self.claims.expires_at();
        match self.claims.validate_time(self.now) {
            Ok(()) => format!("valid, expires {}", moment::distance(expires_at, self.now)),
            Err(TimeError::Expired(at)) => {
                format!("expired {}", moment::distance(at, self.now))
            }
            Err(TimeError::NotYet(at)) => {
                format!("not valid yet, begins {}", moment::distance(at, self.now))
            }
        }
    }
}

impl Signature {
    const fn said(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::NotChecked => "not checked",
            Self::Fails(VerifyError::UnknownKey(_)) => "by no trusted key",
            Self::Fails(VerifyError::KeyPurpose { .. }) => "by a key for another purpose",
            Self::Fails(_) => "DOES NOT HOLD",
        }
    }
}

fn forecast_said(forecast: &Prospect) -> String {
    match (forecast.would, forecast.uses_left, &forecast.reason) {
        (Would::Deliver, None, _) => "would give the profile".to_owned(),
        (Would::Deliver, Some(left), _) => {
            format!("would give the profile, uses left now: {left}")
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

    fn report(signature: Signature, now: UnixSeconds) -> Report {
        let minted = minter().mint(&[order("alice")], ISSUED_AT, counting()).unwrap();
        Report {
            key_id: minted[0].token.id().key_id,
            claims: minted[0].claims.clone(),
            signature,
            now,
            forecast: None,
        }
    }

    fn plain(report: &Report) -> String {
        anstream::adapter::strip_str(&report.facts().to_text()).to_string()
    }

    #[test]
    fn what_a_token_says_is_shown() {
        let text = plain(&report(Signature::Holds, ISSUED_AT));
        for line in [
            "id         AQEBAQICAgICAgICAgICAg",
            "batch      01010101",
            "signature  holds",
            "user       alice",
            "kind       user-locked",
            "uses       1",
            "now        valid, expires in 60 min",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn time_and_trust_are_told_apart() {
        let late = report(Signature::NotChecked, ISSUED_AT.plus(3_600));
        assert!(plain(&late).contains("signature  not checked"));
        assert!(plain(&late).contains("now        expired 0 s ago"), "{}", plain(&late));
        assert_eq!(late.json()["valid_now"], false);
        let early = report(Signature::Fails(VerifyError::Signature), ISSUED_AT.minus(120));
        assert!(plain(&early).contains("signature  DOES NOT HOLD"));
        assert!(plain(&early).contains("now        not valid yet, begins in 60 s"));
        assert_eq!(early.json()["signature"], "DOES NOT HOLD");
    }

    #[test]
    fn the_node_s_word_is_passed_on() {
        let forecast = |json: &str| -> Prospect { serde_json::from_str(json).unwrap() };
        for (json, said) in [
            (r#"{"would":"deliver","reason":null,"uses_left":2}"#, "uses left now: 2"),
            (r#"{"would":"deliver","uses_left":null}"#, "would give the profile"),
            (r#"{"would":"refuse","reason":"used up"}"#, "would be refused: used up"),
        ] {
            assert!(forecast_said(&forecast(json)).contains(said), "{json}");
        }
    }
}
