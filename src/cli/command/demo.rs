//! `jeton demo`: the whole of it on this machine, with nothing but the program.

use std::fs::Permissions;
use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::TempDir;

use super::init::{self, Made, Plan};
use super::serve::{self, Hangup, Signals};
use crate::cli::global::Global;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Environment};
use crate::failure::Failure;
use crate::mint::{Minted, Minter, Order};
use crate::node::Node;
use crate::node::logging;
use crate::random;
use crate::token::url::PublicUrl;
use crate::token::{Lifetime, NewUserName, ProfileKind, UseLimit};

/// Where the demo listens, if that is free.
const PORT: u16 = 8443;

/// An hour, as links live unless told otherwise.
const LIFETIME_S: u32 = 60 * 60;

const EXAMPLES: &str = "\
Examples:
  jeton demo                  on port 8443, or on a free one
  jeton demo --port 9443 --keep
                              and leave the folder there to look around
  jeton demo --qr             with a QR code, also where this is no terminal

It makes a folder for the time it runs, with a small PKI laid out as easy-rsa does
(the users alice and bob, and carol whose certificate is revoked), a client
template and an OpenVPN server.conf that fits, keys, ledger and a certificate.
It listens on this machine only. Ctrl-C ends it.";

/// Try it: make everything in a temporary folder, serve, and print a link
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// The port to listen on [default: 8443, or a free one]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Leave the folder there at the end
    #[arg(long)]
    keep: bool,

    /// Print a QR code even if this is no terminal
    #[arg(long)]
    qr: bool,
}

pub(crate) fn run(DemoArgs { port, keep, qr }: DemoArgs, global: &Global) -> Result<(), Failure> {
    let folder = folder()?;
    let address = address(port)?;
    if port.is_none() && address.port() != PORT {
        let port = address.port();
        output::remark(&format!("Port {PORT} is taken; this demo is on port {port}."));
    }
    let plan = Plan {
        public_url: public_url(address)?,
        listen: address,
        admin: free((Ipv4Addr::LOCALHOST, address.port().saturating_add(1)).into())?,
        demo: true,
    };
    let made = init::make(folder.path(), &plan, &SystemClock)?;
    let config = configured(folder.path())?;
    logging::start(global.log_format, global.log_level, &config.log)?;
    serve::runtime()?.block_on(async {
        let signals = Signals::listen()?;
        let node = Node::open(config).await?;
        let minted = link_for_alice(&node, made, plan.public_url).await?;
        // The code first: it is tall, and would push the links off the screen.
        if qr || io::stdout().is_terminal() {
            output::show(&crate::cli::terminal::qr::draw(&minted.links.scan)?)?;
        }
        output::show(&welcome(folder.path(), &minted))?;
        signals.rule(node, Hangup::Stops).await
    })?;
    leave(folder, keep);
    Ok(())
}

/// Makes the temporary folder, closed to others whatever the umask says.
fn folder() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("jeton-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|error| Failure::new(&error, "name another place for temporary files in TMPDIR"))
}

/// Lets alice have what needs no typing, and mints a link for it, for one use.
async fn link_for_alice(node: &Node, made: Made, public_url: PublicUrl) -> Result<Minted, Failure> {
    let alice = NewUserName::new("alice").map_err(|error| fault(&error))?;
    node.ledger().permit(alice.name().clone(), true).await.map_err(|error| fault(&error))?;
    let order = Order {
        user: alice,
        kind: ProfileKind::Autologin,
        lifetime: Lifetime::from_seconds(LIFETIME_S).map_err(|error| fault(&error))?,
        uses: UseLimit::ONCE,
        network: None,
    };
    let minter = Minter::new(made.profile_key, public_url);
    Ok(minter.mint_one(&order, SystemClock.now(), random::fill)?)
}

fn welcome(folder: &Path, minted: &Minted) -> String {
    let links = &minted.links;
    let folder = folder.display();
    format!(
        "\
A link for alice, good for one download within an hour:

  import it   {import}
  fetch it    {download}
  share it    {share}

Fetch it:

  curl -sS --cacert {folder}/tls/cert.pem '{download}'

Do that twice: the second time the link is used up. More links, and what became
of this one:

  jeton mint --config {folder}/jeton.toml --user bob
  jeton list --config {folder}/jeton.toml

A web page for the same, and the link that signs you in to it:

  jeton admin-link --config {folder}/jeton.toml

An OpenVPN server that takes alice's profile (as root):

  openvpn --cd {folder}/openvpn --config server.conf

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

/// Returns `wanted` if nobody listens there, else a free port beside it.
fn free(wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let any = SocketAddr::new(wanted.ip(), 0);
    TcpListener::bind(wanted)
        .or_else(|_taken| TcpListener::bind(any))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::new(&error, "name a port that may be used with --port"))
}

fn public_url(address: SocketAddr) -> Result<PublicUrl, Failure> {
    format!("https://{address}").parse().map_err(|error| fault(&error))
}

/// Loads what was just made. Variables of the surroundings are not looked at.
fn configured(folder: &Path) -> Result<Config, Failure> {
    let file: PathBuf = folder.join("jeton.toml");
    let read = Config::examine(Some(&file), &Environment::default());
    read.map(|(config, _faults)| config).map_err(|error| error.explain())
}

fn leave(folder: TempDir, keep: bool) {
    if keep {
        output::remark(&format!("The folder is still there: {}", folder.keep().display()));
    }
}

fn fault(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(error, "this is a fault of jeton, report it")
}
