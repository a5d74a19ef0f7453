//! `jeton healthcheck`: asks a node whether it is ready, for containers that
//! have neither shell nor curl.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use rustls::crypto::aws_lc_rs;
use ureq::tls::TlsConfig;

use crate::cli::client::reachable::reachable;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::config::Public;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  jeton healthcheck                                    ask the node on this machine
  jeton healthcheck --url https://vpn.example.com/readyz
  HEALTHCHECK CMD [\"jeton\", \"healthcheck\"]             in a Dockerfile

Exit codes: 0 it is ready, 1 it is not, or does not answer.";

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
}

pub(crate) fn run(args: HealthcheckArgs, global: &Global) -> Result<(), Failure> {
    let url = match args.url {
        Some(url) => url,
        None => local(&global.load()?.public),
    };
    match ask(&url) {
        Ok(200) => Ok(()),
        Ok(status) => Err(Failure::say(
            format!("{url} answers {status}: the node is not ready"),
            "its log says why",
        )),
        Err(error) => Err(Failure::say(
            format!("{url} does not answer: {error}"),
            "does `jeton serve` run, and with this configuration?",
        )),
    }
}

/// Returns the status with which `url` answers.
fn ask(url: &str) -> Result<u16, ureq::Error> {
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
    Ok(agent.get(url).call()?.status().as_u16())
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
