//! `jeton healthcheck`: asks a node whether it is ready, for containers that
//! have neither shell nor curl.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use rustls::crypto::aws_lc_rs;
use serde_json::json;
use ureq::tls::TlsConfig;

use crate::cli::client::reachable::reachable;
use crate::cli::global::Global;
use crate::cli::terminal::format::CheckFormat;
use crate::cli::terminal::{output, table};
use crate::config::Public;
use crate::failure::Failure;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes of an answer are read. What is longer is no node's.
const SAID_MAX: u64 = 1_000;

const EXAMPLES: &str = "\
Examples:
  jeton healthcheck                                    ask the node on this machine
  jeton healthcheck --url https://vpn.example.com/readyz
  HEALTHCHECK CMD [\"jeton\", \"healthcheck\"]             in a Dockerfile

Exit codes: 0 it is ready, 1 it is not, or does not answer; then stderr says why.";

/// Ask a node whether it is ready
///
/// It asks the public listener of jeton.toml on this machine for /readyz. The
/// certificate is not judged: it is for the public name, this is a local
/// address, and neither the question nor the answer is a secret.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HealthcheckArgs {
    /// Ask this address instead
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<String>,

    /// How to write the answer
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
}

pub(crate) fn run(args: HealthcheckArgs, global: &Global) -> Result<(), Failure> {
    let url = match args.url {
        Some(url) => url,
        None => local(&global.load()?.public),
    };
    let answer = ask(&url);
    if args.format == CheckFormat::Json {
        let (status, said) = answer.as_ref().ok().cloned().unzip();
        let told = json!({
            "url": url, "ready": status == Some(200), "status": status, "said": said.flatten(),
        });
        output::show(&table::to_json(&told)?)?;
    }
    match answer {
        Ok((200, _)) => Ok(()),
        Ok((status, said)) => Err(Failure::say(
            format!("{url} answers {status}: {}", said.as_deref().unwrap_or("no words")),
            "its log says more, and so does `jeton cluster status` if it has an admin key",
        )),
        Err(error) => Err(Failure::say(
            format!("{url} does not answer: {error}"),
            "does `jeton serve` run, and with this configuration?",
        )),
    }
}

/// Returns the status with which `url` answers, and the first line of what it says.
fn ask(url: &str) -> Result<(u16, Option<String>), ureq::Error> {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .disable_verification(true)
        .build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .tls_config(tls)
        .build()
        .new_agent();
    let mut response = agent.get(url).call()?;
    let said = response.body_mut().with_config().limit(SAID_MAX).read_to_string();
    let line = said.ok().and_then(|said| said.lines().next().map(str::to_owned));
    Ok((response.status().as_u16(), line.filter(|line| !line.is_empty())))
}

/// Returns where a listener is reached from its own machine.
fn local(public: &Public) -> String {
    let scheme = if public.plain_http { "http" } else { "https" };
    format!("{scheme}://{}/readyz", reachable(public.listen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_asked_on_loopback() {
        let public = |listen: &str, plain_http| Public {
            listen: listen.parse().unwrap(),
            tls_cert: None,
            tls_key: None,
            plain_http,
            trusted_proxies: Vec::new(),
        };
        assert_eq!(local(&public("0.0.0.0:443", false)), "https://127.0.0.1:443/readyz");
        assert_eq!(local(&public("[::]:8443", true)), "http://[::1]:8443/readyz");
        assert_eq!(local(&public("192.0.2.1:443", false)), "https://192.0.2.1:443/readyz");
    }
}
