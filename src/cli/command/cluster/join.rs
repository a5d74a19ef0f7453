//! `jeton cluster join`: creates a new node of a cluster, completely or not at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde_json::json;

use crate::cli::command::init::staging::Staging;
use crate::cli::command::init::{self, certificate};
use crate::cli::command::ledger::creation::draw_node_id;
use crate::cli::command::serve::runtime;
use crate::cli::pasted;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::cluster::{self, Authority, JoinError, JoinLine, NodeAddress, Welcome};
use crate::failure::Failure;
use crate::keyring;
use crate::ledger::NodeId;
use crate::ledger::raft::{self, Identity};
use crate::token::url::PublicUrl;
use crate::token::{KeyPurpose, UnixSeconds};

/// The files and directories to create. jeton.toml is last, so that a directory with it is complete.
const NAMES: [&str; 4] = ["keys", "ledger", "tls", "jeton.toml"];

const EXAMPLES: &str = "\
Examples:
  jeton cluster join jeton-join:1:... --dir /etc/jeton
  ssh node1 jeton cluster invite | jeton cluster join - --dir /etc/jeton
  jeton cluster join jeton-join:1:... --listen 0.0.0.0:7443 --address node2.example.com:7443

The line comes from `jeton cluster invite` on a running node. This creates jeton.toml,
keys/trusted, ledger and tls. It copies no private key, so the new node cannot mint. Next,
set the source of profiles in jeton.toml and start the node. It is a learner and serves
links like any other node; `jeton cluster promote` makes it a voter.";

/// Make this machine a new node of a cluster
///
/// This creates a complete node or, if it fails, nothing. It never changes an existing file. It
/// talks only to the cluster that the line names.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct JoinArgs {
    /// Join line from `jeton cluster invite`, or `-` for stdin, which keeps it out of `ps`
    #[arg(value_name = "LINE")]
    line: String,

    /// Directory of the node; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    dir: PathBuf,

    /// Where to listen for other nodes [default: all addresses, the port of the inviting node]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Where other nodes connect to [default: the address from which this machine connects to the
    /// inviting node, and the port of --listen]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<NodeAddress>,

    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: JoinArgs) -> Result<(), Failure> {
    let line: JoinLine = pasted::read_or(&args.line, no_line)?.parse().map_err(|error| {
        Failure::new(&error, "copy the whole line again, as `jeton cluster invite` printed it")
    })?;
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), line.address.port());
    let listen = args.listen.unwrap_or(any);
    let address = args.address.map_or_else(|| own_address(listen, &line.address), Ok)?;
    let staging = Staging::begin(&args.dir, &NAMES)?;
    let node_id = draw_node_id()?;
    let runtime = runtime()?;
    let version = env!("CARGO_PKG_VERSION");
    let joined = runtime.block_on(cluster::join(&line, node_id, &address, version));
    let welcome = joined.map_err(|error| explain(&error, node_id))?;
    let node = NewNode { node_id, listen, address, dir: args.dir };
    let created = runtime.block_on(node.create(staging, &line, &welcome));
    let public_url = created.map_err(|failure| node.added_but_not_created(&failure))?;
    let json = json!({ "node_id": node_id, "address": node.address.to_string() });
    output::show_change(args.format, node_id, &json)?;
    output::remark(&node.next_step(&public_url));
    Ok(())
}

/// A new node that the cluster has already added.
struct NewNode {
    node_id: NodeId,
    listen: SocketAddr,
    address: NodeAddress,
    dir: PathBuf,
}

impl NewNode {
    /// Creates the node and returns the public URL of the cluster.
    async fn create(
        &self,
        staging: Staging,
        line: &JoinLine,
        welcome: &Welcome,
    ) -> Result<PublicUrl, Failure> {
        let ledger_id = u128::from_str_radix(&welcome.ledger_id, 16).map_err(|_| bad_answer())?;
        let ledger_id = ledger_id.to_be_bytes();
        let public_url: PublicUrl = welcome.public_url.parse().map_err(|_| bad_answer())?;
        let authority = Authority::from_pem(ledger_id, &welcome.ca, &welcome.ca_key);
        let authority = authority?;
        if authority.fingerprint() != line.fingerprint {
            return Err(bad_answer());
        }
        write_keys(&staging, welcome)?;
        let born_at = UnixSeconds::new(welcome.born_at);
        let identity = Identity { ledger_id, node_id: self.node_id, born_at };
        let ledger = staging.path("ledger");
        raft::create_joined(&ledger, identity)
            .await
            .map_err(|error| Failure::new(&error, "check that the disk is not full"))?;
        authority.write(&ledger)?;
        certificate::write(&staging, &public_url, SystemClock.now())?;
        staging.write("jeton.toml", 0o644, &self.jeton_toml(&public_url))?;
        staging.publish(&NAMES)?;
        Ok(public_url)
    }

    fn jeton_toml(&self, public_url: &PublicUrl) -> String {
        let listen = init::listen(public_url);
        let admin = init::admin_beside(listen);
        let (cluster, address, profiles) = (self.listen, &self.address, init::PROFILES);
        format!(
            "\
# Created by `jeton cluster join`. `jeton config example` prints every key with its default.

# The same on all nodes.
public_url = \"{public_url}\"

[public]
listen = \"{listen}\"
# Self-signed, for the host above. Replace it with the certificate of the other nodes.
tls_cert = \"tls/cert.pem\"
tls_key = \"tls/key.pem\"

[admin]
listen = \"{admin}\"

[keys]
# The trusted keys of the inviting node. Copy new keys to every node.
trusted = \"keys/trusted\"
# To administer the cluster from this machine, put an admin-*.pem here.
#signing = \"keys/signing\"

{profiles}
[ledger]
dir = \"ledger\"

[cluster]
listen = \"{cluster}\"
address = \"{address}\"

[log]
# The audit log: one JSON line for each delivered profile, refusal and operator change.
audit = \"audit.jsonl\"
"
        )
    }

    fn next_step(&self, public_url: &PublicUrl) -> String {
        let file = self.dir.join("jeton.toml");
        let named = init::config_option(&self.dir);
        format!(
            "\nThis node is a learner. Other nodes connect to it at {}.\n\nNext:\n  set [profiles] \
             in {}, as on the other nodes\n  put the certificate for {public_url} into {}\n  \
             jeton config check{named}\n  jeton serve{named}",
            self.address,
            file.display(),
            self.dir.join("tls").display(),
        )
    }

    /// Replaces the hint of a failure after the cluster has added the node.
    fn added_but_not_created(&self, failure: &Failure) -> Failure {
        let id = self.node_id;
        Failure::say(
            failure.reason(),
            format!(
                "nothing was created here, but the cluster has added the node: run `jeton cluster \
                 remove {id}` there, fix the problem, and join with a new invitation"
            ),
        )
    }
}

fn write_keys(staging: &Staging, welcome: &Welcome) -> Result<(), Failure> {
    for file in &welcome.trusted {
        let purpose = KeyPurpose::ALL.into_iter().find(|known| known.as_str() == file.purpose);
        let key = keyring::decode_public(&file.pem).ok();
        let (purpose, key) = purpose.zip(key).ok_or_else(bad_answer)?;
        let name = format!("keys/trusted/{purpose}/{}.pem", key.id());
        staging.write(&name, 0o644, &keyring::encode_public(&key))?;
    }
    Ok(())
}

/// Returns the address for other nodes: that of `listen`, or else the local address of a connection
/// to the inviting node.
fn own_address(listen: SocketAddr, inviter: &NodeAddress) -> Result<NodeAddress, Failure> {
    let is_any = listen.ip().is_unspecified();
    let ip = if is_any { local_address(inviter) } else { Some(listen.ip()) };
    let address = ip.map(|ip| SocketAddr::new(ip, listen.port()).to_string());
    address.and_then(|address| address.parse().ok()).ok_or_else(|| {
        Failure::say(
            "cannot determine the address at which other nodes reach this machine",
            "name it with --address HOST:PORT",
        )
    })
}

/// Returns the local address for connections to `inviter`. It sends nothing.
fn local_address(inviter: &NodeAddress) -> Option<IpAddr> {
    let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), std::net::Ipv6Addr::UNSPECIFIED.into()];
    any.into_iter().find_map(|any| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(inviter.as_str()).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

fn no_line() -> Failure {
    Failure::say(
        "stdin has no join line",
        "paste or pipe in the line that `jeton cluster invite` prints on a member. If it was piped \
         in, see the error above",
    )
}

const SAME_VERSION: &str = "run the same version of jeton on both nodes";

fn bad_answer() -> Failure {
    Failure::say("the inviting node sent an invalid answer", SAME_VERSION)
}

/// Adds a hint to an error of joining. Nothing was created.
fn explain(error: &JoinError, node_id: NodeId) -> Failure {
    let hint = match error {
        JoinError::Unreachable { .. } => {
            "check that the inviting node runs and that this machine can connect to its \
             cluster.address. The invitation is still valid"
                .to_owned()
        }
        JoinError::OtherCluster(_) => {
            "another program or another cluster has that address; the secret was not sent. Create a \
             new invitation"
                .to_owned()
        }
        JoinError::Unknown { .. } => format!(
            "run `jeton cluster status` there; if it lists {node_id}, run `jeton cluster remove \
             {node_id}`. Then create a new invitation"
        ),
        JoinError::Refused { hint, .. } => hint.replace(char::is_control, " "),
        JoinError::BadResponse(_) | JoinError::Setup(_) => SAME_VERSION.to_owned(),
    };
    Failure::new(error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_the_address_from_the_listener() {
        let inviter: NodeAddress = "127.0.0.1:7443".parse().unwrap();
        for (listen, address) in [
            ("192.0.2.1:7000", "192.0.2.1:7000"),
            ("[2001:db8::1]:7000", "[2001:db8::1]:7000"),
            ("0.0.0.0:7000", "127.0.0.1:7000"),
        ] {
            let own = own_address(listen.parse().unwrap(), &inviter).unwrap();
            assert_eq!(own.to_string(), address);
        }
    }
}
