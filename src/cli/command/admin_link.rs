//! `jeton admin-link`: mints a link that signs an operator in at the admin door.
//!
//! It needs the admin key and no network. The token is in the fragment of the link, which browsers
//! never send.

use std::net::SocketAddr;

use clap::builder::PossibleValue;
use clap::{ValueEnum, ValueHint};
use serde_json::{Value, json};

use crate::cli::configured::{LazyConfig, admin_address};
use crate::cli::global::Global;
use crate::cli::key_choice::{self, KeyChoice};
use crate::cli::login_name;
use crate::cli::minting::expiry::Expiry;
use crate::cli::terminal::format::LinkFormat;
use crate::cli::terminal::table::to_json;
use crate::cli::terminal::{moment, output};
use crate::clock::{Clock as _, SystemClock};
use crate::failure::Failure;
use crate::mint;
use crate::random;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::{AdminRole, KeyPurpose, NewUserName, Token, UnixSeconds, url};

const EXAMPLES: &str = "\
Examples:
  jeton admin-link                           a browser session as admin, for 8 hours
  jeton admin-link --role viewer --user carol --expires 30d
  xdg-open \"$(jeton admin-link)\"

  With curl, on the machine of the node:
  token=$(jeton admin-link --role operator --expires 5m --format token)
  curl -H \"Authorization: Bearer $token\" http://127.0.0.1:8444/api/v1/tokens
  curl -H \"Authorization: Bearer $token\" --json '{\"user\": \"alice\"}' \\
       http://127.0.0.1:8444/api/v1/tokens

  From another machine, through SSH:
  ssh -L 8444:127.0.0.1:8444 vpn.example.com jeton admin-link

A viewer can read. An operator can also mint and revoke links. An admin can also allow
autologin, revoke keys and change the cluster. Anyone who has the link has its role until
it expires. To end it earlier: `jeton revoke ID`, or `jeton revoke -` with the link on
stdin.";

/// The user name if the login name is not a valid one.
const FALLBACK_NAME: &str = "admin";

/// Make a link that signs you in to the web page of a node, offline
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AdminLinkArgs {
    /// When the link and its session expire: a span such as 30m, 8h, 7d, or a time such as
    /// 2026-12-01T12:00Z; at most 366 days
    #[arg(long, value_name = "WHEN", default_value = "8h", allow_hyphen_values = true)]
    expires: Expiry,

    /// What the link allows
    #[arg(long, value_enum, default_value_t = AdminRole::Admin)]
    role: AdminRole,

    /// Name of the operator, for the logs [default: your login name]
    #[arg(long, value_name = "NAME")]
    user: Option<NewUserName>,

    /// Output format
    #[arg(long, value_enum, default_value_t = LinkFormat::Text)]
    format: LinkFormat,

    /// Signing key: an id from `jeton key list`, or a file [default: the newest admin key in the
    /// signing directory]
    #[arg(long, value_name = "KEYID|FILE", value_hint = ValueHint::FilePath)]
    key: Option<KeyChoice>,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl ValueEnum for AdminRole {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Viewer, Self::Operator, Self::Admin]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Viewer => PossibleValue::new("viewer").help("Can read"),
            Self::Operator => PossibleValue::new("operator").help("Can also mint and revoke links"),
            Self::Admin => PossibleValue::new("admin")
                .help("Can also allow autologin, revoke keys and change the cluster"),
        })
    }
}

/// A minted admin token. It has no `Debug`, which would reveal the token.
struct SignIn {
    token: Token,
    role: AdminRole,
    user: NewUserName,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
}

pub(crate) fn run(args: AdminLinkArgs, global: &Global) -> Result<(), Failure> {
    let now = SystemClock.now();
    let lifetime = args.expires.lifetime(now).map_err(|error| {
        Failure::new(&error, "--expires takes a span such as 8h or 7d, or a time in the future")
    })?;
    let user = match args.user {
        Some(user) => user,
        None => login_name()?,
    };
    let config = LazyConfig::new(global);
    // A token by itself has no address.
    let address = match args.format {
        LinkFormat::Token => None,
        LinkFormat::Text | LinkFormat::Json => Some(admin_address(config.get()?)?),
    };
    let key = key_choice::choose(args.key.as_ref(), KeyPurpose::Admin, &config, &args.passphrase)?;
    let role = args.role;
    let token = mint::mint_admin(&key, role, user.clone(), lifetime, now, random::fill)?;
    let expires_at = now.plus(u64::from(lifetime.seconds()));
    let sign_in = SignIn { token, role, user, issued_at: now, expires_at };
    output::show(&sign_in.formatted(args.format, address)?)?;
    if let (LinkFormat::Text, Some(address)) = (args.format, address) {
        output::remark(&sign_in.explanation(address));
    }
    Ok(())
}

fn login_name() -> Result<NewUserName, Failure> {
    login_name::get()
        .map_or_else(|| NewUserName::new(FALLBACK_NAME), Ok)
        .map_err(|error| Failure::new(&error, "name the operator: --user NAME"))
}

impl SignIn {
    fn formatted(&self, format: LinkFormat, at: Option<SocketAddr>) -> Result<String, Failure> {
        match format {
            LinkFormat::Text => {
                Ok(at.map(|at| url::sign_in(at, &self.token) + "\n").unwrap_or_default())
            }
            LinkFormat::Json => to_json(&self.json(at)),
            LinkFormat::Token => Ok(format!("{}\n", self.token.as_str())),
        }
    }

    fn json(&self, at: Option<SocketAddr>) -> Value {
        json!({
            "id": self.token.id().nonce.to_string(),
            "key_id": self.token.id().key_id.to_string(),
            "role": self.role.to_string(),
            "user": self.user.name(),
            "issued_at": self.issued_at.to_string(),
            "expires_at": self.expires_at.to_string(),
            "link": at.map(|at| url::sign_in(at, &self.token)),
            "token": self.token.as_str(),
        })
    }

    /// Explains what the link allows, where it works, and how to end it.
    fn explanation(&self, at: SocketAddr) -> String {
        let Self { token, role, user, expires_at, .. } = self;
        let port = at.port();
        format!(
            "This link signs {user} in as {role} until {}.\n\
             Open it in a browser on this machine. From another machine: ssh -L {port}:{at} HOST\n\
             Anyone who has it can sign in. To end it: jeton revoke {}",
            moment::both(*expires_at),
            token.id().nonce,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Lifetime, Purpose, SigningKey, UntrustedToken};

    const NOW: UnixSeconds = UnixSeconds::new(1_795_435_200);

    fn sign_in() -> SignIn {
        let (key, user) = (SigningKey::from_seed(&[9; 32]), NewUserName::new("carol").unwrap());
        let lifetime = Lifetime::from_seconds(3_600).unwrap();
        let token =
            mint::mint_admin(&key, AdminRole::Viewer, user.clone(), lifetime, NOW, random::fill)
                .unwrap();
        SignIn { token, role: AdminRole::Viewer, user, issued_at: NOW, expires_at: NOW.plus(3_600) }
    }

    fn at() -> Option<SocketAddr> {
        Some("127.0.0.1:8444".parse().unwrap())
    }

    #[test]
    fn the_token_is_in_the_fragment() {
        let sign_in = sign_in();
        let link = sign_in.formatted(LinkFormat::Text, at()).unwrap();
        let token = link.trim_end().strip_prefix("http://127.0.0.1:8444/sign-in#").unwrap();
        let claims = UntrustedToken::parse(token).unwrap().untrusted_claims().unwrap();
        assert_eq!(claims.purpose, Purpose::Admin(AdminRole::Viewer));
        assert_eq!((claims.user.as_str(), claims.expires_at()), ("carol", NOW.plus(3_600)));
        assert_eq!(sign_in.formatted(LinkFormat::Token, None).unwrap(), format!("{token}\n"));
    }

    #[test]
    fn json_has_the_role_the_user_and_the_expiry() {
        let sign_in = sign_in();
        let json = sign_in.formatted(LinkFormat::Json, at()).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["role"], &json["user"]), (&"viewer".into(), &"carol".into()));
        assert_eq!(json["expires_at"], "2026-11-23T13:00:00Z");
        assert_eq!(json["link"], url::sign_in(at().unwrap(), &sign_in.token));
    }

    #[test]
    fn the_explanation_names_the_tunnel_and_not_the_token() {
        let text = sign_in().explanation("127.0.0.1:8445".parse().unwrap());
        assert!(text.contains("signs carol in as viewer until 2026-11-23T13:00:00Z"), "{text}");
        assert!(text.contains("ssh -L 8445:127.0.0.1:8445 HOST"), "{text}");
        assert!(!text.contains(sign_in().token.as_str()));
    }
}
