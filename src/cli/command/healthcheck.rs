//! `jeton healthcheck`: asks a node whether it is ready, for containers without a shell and curl.

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

/// The time limit for the whole request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of a response that are read. A node's response is shorter.
const BODY_MAX: u64 = 1_000;

const EXAMPLES: &str = "\
Examples:
  jeton healthcheck                                    ask the node on this machine
  jeton healthcheck --url https://vpn.example.com/readyz
  HEALTHCHECK CMD [\"jeton\", \"healthcheck\"]             in a Dockerfile

Exit codes: 0 the node is ready; 1 it is not ready or does not answer, and stderr says
why.";

/// Ask a node whether it is ready
///
/// Requests /readyz from the public listener in jeton.toml, on this machine. The certificate is not
/// verified: it is for the public name and not for a local address, and neither the request nor the
/// answer is secret.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HealthcheckArgs {
    /// Request this URL instead
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    url: Option<String>,

    /// Output format
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
        let (status, line) = answer.as_ref().ok().cloned().unzip();
        let result = json!({
            "url": url, "ready": status == Some(200), "status": status, "said": line.flatten(),
        });
        output::show(&table::to_json(&result)?)?;
    }
    match answer {
        Ok((200, _)) => Ok(()),
        Ok((status, line)) => Err(Failure::say(
            format!("{url} answers {status}: {}", line.as_deref().unwrap_or("no message")),
            "see its log, or `jeton cluster status` if an admin key is trusted",
        )),
        Err(error) => Err(Failure::say(
            format!("{url} does not answer: {error}"),
            "check that `jeton serve` runs with this configuration",
        )),
    }
}

/// Returns the status of the answer of `url`, and the first line of its body.
fn ask(url: &str) -> Result<(u16, Option<String>), ureq::Error> {
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .disable_verification(true)
        .build();
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .tls_config(tls)
        .build()
        .new_agent();
    let mut response = agent.get(url).call()?;
    let body = response.body_mut().with_config().limit(BODY_MAX).read_to_string();
    let line = body.ok().and_then(|body| body.lines().next().map(str::to_owned));
    Ok((response.status().as_u16(), line.filter(|line| !line.is_empty())))
}

/// Returns the URL of the public listener, as seen from its own machine.
fn local(public: &Public) -> String {
    let scheme = if public.plain_http { "http" } else { "https" };
    format!("{scheme}://{}/readyz", reachable(public.listen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_a_listener_on_all_addresses_on_loopback() {
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
