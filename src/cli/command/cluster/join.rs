//! `jeton cluster join`: makes a further node of a ledger, whole or not at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde_json::json;

use crate::cli::command::init::staging::Staging;
use crate::cli::command::init::{self, certificate};
use crate::cli::command::ledger::draw_node_id;
use crate::cli::command::serve::runtime;
use crate::cli::pasted;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::{output, table};
use crate::clock::{Clock as _, SystemClock};
use crate::cluster::{self, Authority, JoinError, JoinLine, NodeAddress, Welcome};
use crate::failure::Failure;
use crate::keyring;
use crate::ledger::NodeId;
use crate::ledger::raft::{self, Identity};
use crate::node::cluster as node_cluster;
use crate::token::url::PublicUrl;
use crate::token::{KeyPurpose, UnixSeconds};

/// What is made, the configuration last.
const NAMES: [&str; 4] = ["keys", "ledger", "tls", "jeton.toml"];

const EXAMPLES: &str = "\
Examples:
  jeton cluster join jeton-join:1:... --dir /etc/jeton
  ssh node1 jeton cluster invite | jeton cluster join - --dir /etc/jeton
  jeton cluster join jeton-join:1:... --listen 0.0.0.0:7443 --address node2.example.com:7443

The line comes from `jeton cluster invite` on a node that runs. It makes jeton.toml,
keys/trusted, ledger and tls; it brings no private key, so the new node cannot mint.
Then say in jeton.toml where profiles come from, and start it. It is a learner, and
answers links as any node does; `jeton cluster promote` makes it a voter.";

/// Make this machine a further node of a cluster
///
/// It makes all of a node or, if anything goes wrong, nothing. What exists is never
/// touched. It speaks only to the cluster that the line names.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct JoinArgs {
    /// What `jeton cluster invite` printed; - for stdin, where `ps` does not see it
    #[arg(value_name = "LINE")]
    line: String,

    /// The folder to make it in; made if it does not exist
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    dir: PathBuf,

    /// Where to listen for the other nodes [default: all addresses, the port of the
    /// inviting node]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Where the others reach this node [default: the address by which this machine
    /// reaches the inviting node, and the port of --listen]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<NodeAddress>,

    /// How to write the result
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,
}

pub(super) fn run(args: JoinArgs) -> Result<(), Failure> {
    let line: JoinLine = pasted::read_or(&args.line, no_line)?.parse().map_err(|error| {
        Failure::new(&error, "copy the line again, whole, as `jeton cluster invite` printed it")
    })?;
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), line.address.port());
    let listen = args.listen.unwrap_or(any);
    let address = args.address.map_or_else(|| own_address(listen, &line.address), Ok)?;
    let staging = Staging::begin(&args.dir, &NAMES)?;
    let node_id = draw_node_id()?;
    let runtime = runtime()?;
    let version = env!("CARGO_PKG_VERSION");
    let welcome = runtime.block_on(cluster::join(&line, node_id, &address, version));
    let welcome = welcome.map_err(|error| refuse(&error, node_id))?;
    let node = NewNode { node_id, listen, address, dir: args.dir };
    let made = runtime.block_on(node.make(staging, &line, &welcome));
    let public_url = made.map_err(|failure| node.member_without_a_node(&failure))?;
    output::show(&match args.format {
        ChangeFormat::Text => format!("{node_id}\n"),
        ChangeFormat::Json => {
            let made = json!({ "node_id": node_id, "address": node.address.to_string() });
            table::to_json(&made)?
        }
    })?;
    output::remark(&node.next_step(&public_url));
    Ok(())
}

/// A node that the others know already.
struct NewNode {
    node_id: NodeId,
    listen: SocketAddr,
    address: NodeAddress,
    dir: PathBuf,
}

impl NewNode {
    /// Makes the node and returns where the world reaches it.
    async fn make(
        &self,
        staging: Staging,
        line: &JoinLine,
        welcome: &Welcome,
    ) -> Result<PublicUrl, Failure> {
        let ledger_id = u128::from_str_radix(&welcome.ledger_id, 16).map_err(|_| strange())?;
        let ledger_id = ledger_id.to_be_bytes();
        let public_url: PublicUrl = welcome.public_url.parse().map_err(|_| strange())?;
        let authority = Authority::from_pem(ledger_id, &welcome.ca, &welcome.ca_key);
        let authority = authority.map_err(|error| node_cluster::explain(&error))?;
        if authority.fingerprint() != line.fingerprint {
            return Err(strange());
        }
        write_keys(&staging, welcome)?;
        let born_at = UnixSeconds::new(welcome.born_at);
        let identity = Identity { ledger_id, node_id: self.node_id, born_at };
        let ledger = staging.path("ledger");
        raft::create_joined(&ledger, identity)
            .await
            .map_err(|error| Failure::new(&error, "is the disk full?"))?;
        authority.write(&ledger).map_err(|error| node_cluster::explain(&error))?;
        let (certificate, key) = certificate::self_signed(public_url.host(), SystemClock.now())?;
        staging.write("tls/cert.pem", 0o644, &certificate)?;
        staging.write("tls/key.pem", 0o600, &key)?;
        staging.write("jeton.toml", 0o644, &self.jeton_toml(&public_url))?;
        staging.publish(&NAMES)?;
        Ok(public_url)
    }

    fn jeton_toml(&self, public_url: &PublicUrl) -> String {
        let listen = init::listen(public_url);
        let admin = init::admin_beside(listen);
        let (between, address, profiles) = (self.listen, &self.address, init::PROFILES);
        format!(
            "\
# Made by `jeton cluster join`. `jeton config example` prints every key with its default.

# The same on all nodes: they stand behind one name.
public_url = \"{public_url}\"

[public]
listen = \"{listen}\"
# Self-signed, for the host above. Put the certificate in its place that the other
# nodes have.
tls_cert = \"tls/cert.pem\"
tls_key = \"tls/key.pem\"

[admin]
listen = \"{admin}\"

[keys]
# As the inviting node trusted them. New keys have to be copied to every node.
trusted = \"keys/trusted\"
# To administer this node from this machine, put an admin-*.pem there.
#signing = \"keys/signing\"

{profiles}
[ledger]
dir = \"ledger\"

[cluster]
listen = \"{between}\"
address = \"{address}\"

[log]
# One JSON line for each profile given, each refusal, and each change by an operator.
audit = \"audit.jsonl\"
"
        )
    }

    fn next_step(&self, public_url: &PublicUrl) -> String {
        let file = self.dir.join("jeton.toml");
        let named = if self.dir == Path::new(".") {
            String::new()
        } else {
            format!(" --config {}", file.display())
        };
        format!(
            "\nThe others reach this node, a learner, at {}.\n\nNext:\n  say in {} where profiles \
             come from, as on the other nodes\n  put the certificate for {public_url} into {}\n  \
             jeton config check{named}\n  jeton serve{named}",
            self.address,
            file.display(),
            self.dir.join("tls").display(),
        )
    }

    /// Says that the others know a node that was not made.
    fn member_without_a_node(&self, failure: &Failure) -> Failure {
        let id = self.node_id;
        Failure::say(
            failure.reason(),
            format!(
                "nothing was made here, but the others know the node already: `jeton cluster \
                 remove {id}` there; mend what is wrong, and join with a new invitation"
            ),
        )
    }
}

fn write_keys(staging: &Staging, welcome: &Welcome) -> Result<(), Failure> {
    for file in &welcome.trusted {
        let purpose = KeyPurpose::ALL.into_iter().find(|known| known.as_str() == file.purpose);
        let key = keyring::decode_public(&file.pem).ok();
        let (purpose, key) = purpose.zip(key).ok_or_else(strange)?;
        let name = format!("keys/trusted/{purpose}/{}.pem", key.id());
        staging.write(&name, 0o644, &keyring::encode_public(&key))?;
    }
    Ok(())
}

/// Returns the address by which the others reach this machine: that of `listen`,
/// or the one that the way to the inviting node begins at.
fn own_address(listen: SocketAddr, inviter: &NodeAddress) -> Result<NodeAddress, Failure> {
    let is_any = listen.ip().is_unspecified();
    let ip = if is_any { way_to(inviter) } else { Some(listen.ip()) };
    let address = ip.map(|ip| SocketAddr::new(ip, listen.port()).to_string());
    address.and_then(|address| address.parse().ok()).ok_or_else(|| {
        Failure::say(
            "it is not known where the others reach this machine",
            "say so: --address HOST:PORT",
        )
    })
}

/// Looks up which of its addresses the system would use; nothing is sent.
fn way_to(inviter: &NodeAddress) -> Option<IpAddr> {
    let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), std::net::Ipv6Addr::UNSPECIFIED.into()];
    any.into_iter().find_map(|any| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(inviter.as_str()).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

fn no_line() -> Failure {
    Failure::say(
        "no join line came on standard input",
        "`jeton cluster invite` on a member prints one: paste that, or pipe it in; if it was piped \
         in, the line above says why it printed none",
    )
}

fn strange() -> Failure {
    Failure::say(
        "the inviting node says what is not understood",
        "bring both nodes to the same version of jeton",
    )
}

/// Says what to do about an invitation that does not work. Nothing was made.
fn refuse(error: &JoinError, node_id: NodeId) -> Failure {
    let hint = match error {
        JoinError::Unreachable { .. } => {
            "does the inviting node run, and may this machine reach its cluster.address? The \
             invitation is still good"
                .to_owned()
        }
        JoinError::OtherCluster(_) => {
            "another program or another cluster has that address; the secret was not told. Ask for \
             a new invitation"
                .to_owned()
        }
        JoinError::Unknown { .. } => format!(
            "look at `jeton cluster status` there; if it lists {node_id}, `jeton cluster \
             remove` it, then ask for a new invitation"
        ),
        JoinError::Refused { hint, .. } => hint.replace(char::is_control, " "),
        JoinError::BadResponse(_) | JoinError::Setup(_) => {
            "bring both nodes to the same version of jeton".to_owned()
        }
    };
    Failure::new(error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_listens_on_one_address_is_reached_there() {
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
