//! `jeton demo`: a complete node on this machine, without any setup.

use std::fs::Permissions;
use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Args;
use tempfile::TempDir;

use super::init::{self, CreatedKeys, Plan};
use super::serve::{self, Hangup, Signals};
use crate::cli::global::Global;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Environment};
use crate::failure::Failure;
use crate::mint::{Minted, Minter, Order};
use crate::node::{Node, logging};
use crate::random;
use crate::token::url::PublicUrl;
use crate::token::{Lifetime, NewUserName, ProfileKind, UseLimit};

/// The preferred port.
const PORT: u16 = 8443;

/// The lifetime of the demo's link: one hour, the default of `mint`.
const LIFETIME_S: u32 = 60 * 60;

const EXAMPLES: &str = "\
Examples:
  jeton demo                  on port 8443, or on a free one
  jeton demo --port 9443 --keep
                              keep the directory to look around
  jeton demo --qr             with a QR code, even if stdout is not a terminal

The demo creates a temporary directory with a small PKI in the layout of easy-rsa (the
users alice and bob, and carol, whose certificate is revoked), a client template, a
matching OpenVPN server.conf, keys, a ledger and a certificate. It listens on this
machine only. Ctrl-C ends it.";

/// Try jeton: create everything in a temporary directory, serve, and print a link
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Port to listen on [default: 8443, or a free one]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Keep the directory at the end
    #[arg(long)]
    keep: bool,

    /// Print a QR code even if stdout is not a terminal
    #[arg(long)]
    qr: bool,
}

pub(crate) fn run(DemoArgs { port, keep, qr }: DemoArgs, global: &Global) -> Result<(), Failure> {
    let dir = temp_dir()?;
    let address = address(port)?;
    if port.is_none() && address.port() != PORT {
        let port = address.port();
        output::remark(&format!("Port {PORT} is in use; this demo uses port {port}."));
    }
    let plan = Plan {
        public_url: public_url(address)?,
        listen: address,
        admin: free((Ipv4Addr::LOCALHOST, address.port().saturating_add(1)).into())?,
        demo: true,
    };
    let keys = init::create(dir.path(), &plan, &SystemClock)?;
    let config = load_config(dir.path())?;
    logging::start(global.log_format, global.log_level, &config.log)?;
    serve::runtime()?.block_on(async {
        let signals = Signals::listen()?;
        let node = Node::open(config).await?;
        let minted = link_for_alice(&node, keys, plan.public_url).await?;
        // The QR code is first, because it is tall and would push the links off the screen.
        if qr || io::stdout().is_terminal() {
            output::show(&crate::cli::terminal::qr::draw(&minted.links.scan)?)?;
        }
        output::show(&welcome(dir.path(), &minted))?;
        signals.serve(node, Hangup::Stops).await
    })?;
    if keep {
        output::remark(&format!("The directory is kept: {}", dir.keep().display()));
    }
    Ok(())
}

/// Creates the temporary directory, which only its owner can read.
fn temp_dir() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("jeton-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| Failure::new(&error, "set TMPDIR to a directory that you may write to"))
}

/// Allows alice autologin profiles, and mints a link to one for one use.
async fn link_for_alice(
    node: &Node,
    keys: CreatedKeys,
    public_url: PublicUrl,
) -> Result<Minted, Failure> {
    let alice = NewUserName::new("alice").map_err(|error| Failure::bug(&error))?;
    node.ledger().permit(alice.name().clone(), true).await.map_err(|error| Failure::bug(&error))?;
    let order = Order {
        user: alice,
        kind: ProfileKind::Autologin,
        lifetime: Lifetime::from_seconds(LIFETIME_S).map_err(|error| Failure::bug(&error))?,
        uses: UseLimit::ONCE,
        network: None,
    };
    let minter = Minter::new(keys.profile_key, public_url);
    Ok(minter.mint_one(&order, SystemClock.now(), random::fill)?)
}

fn welcome(dir: &Path, minted: &Minted) -> String {
    let links = &minted.links;
    let dir = dir.display();
    format!(
        "\
A link for alice, good for one download within an hour:

  import it   {import}
  fetch it    {download}
  share it    {share}

Fetch it:

  curl -sS --cacert {dir}/tls/cert.pem '{download}'

The second time, the link is used up. Mint more links, and list them:

  jeton mint --config {dir}/jeton.toml --user bob
  jeton list --config {dir}/jeton.toml

Get a link that signs you in to the web page:

  jeton admin-link --config {dir}/jeton.toml

Run an OpenVPN server that accepts alice's profile (as root):

  openvpn --cd {dir}/openvpn --config server.conf

Ctrl-C ends the demo.
",
        import = links.import,
        download = links.download,
        share = links.share,
    )
}

fn address(port: Option<u16>) -> Result<SocketAddr, Failure> {
    match port {
        Some(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        None => free((Ipv4Addr::LOCALHOST, PORT).into()),
    }
}

/// Returns `wanted` if its port is free, else the same address with a free port.
fn free(wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let any = SocketAddr::new(wanted.ip(), 0);
    TcpListener::bind(wanted)
        .or_else(|_taken| TcpListener::bind(any))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::new(&error, "name a port that you may use with --port"))
}

fn public_url(address: SocketAddr) -> Result<PublicUrl, Failure> {
    format!("https://{address}").parse().map_err(|error| Failure::bug(&error))
}

/// Loads the configuration of the demo, without the environment variables.
fn load_config(dir: &Path) -> Result<Config, Failure> {
    let (config, _faults) =
        Config::examine(Some(&dir.join("jeton.toml")), &Environment::default())?;
    Ok(config)
}
