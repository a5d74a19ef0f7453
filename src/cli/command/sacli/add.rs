//! `AddProfileToken`: makes a link. A node in reach is asked whether the link will
//! do what it should, and told of it; without one it is minted all the same.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::api::inspection::Would;
use crate::cli::client::reachable::reachable;
use crate::cli::client::{AdminClient, ClientError};
use crate::cli::global::Global;
use crate::cli::minting::MinterArgs;
use crate::cli::minting::order_check::{Dead, OrderCheck};
use crate::cli::minting::permission::{PermissionArgs, Permissions};
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::failure::Failure;
use crate::mint::{Minted, Order};
use crate::random;

/// How long a node may take to take a call, where it is only asked whether it is
/// there.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// What follows from asking no node.
const UNCHECKED: &str = "user and permission are not checked, and ListProfileTokens does not show \
                         the link before its first use";

/// A node in reach, and what it says of its users.
struct Node {
    client: AdminClient,
    check: OrderCheck,
}

/// Mints, and shows the link in Access Server's words.
pub(super) fn run(
    order: &Order,
    minter: &MinterArgs,
    permission: &PermissionArgs,
    global: &Global,
) -> Result<(), Failure> {
    let node = Node::find(minter, global)?;
    match &node {
        Some(node) => node.check.check(order)?,
        None => OrderCheck::unasked(permission.read()?).check(order)?,
    }
    let minted = minter.open(global)?.mint_one(order, SystemClock.now(), random::fill)?;
    let remark = match &node {
        Some(node) => node.take(&minted)?,
        None => None,
    };
    output::show(&format!("Added token, import URL {}\n", minted.links.import))?;
    if let Some(remark) = remark {
        output::remark(&remark);
    }
    Ok(())
}

impl Node {
    /// Finds the node of this machine. A machine that only mints has no config, no
    /// admin key or no node, and does without; people learn which.
    fn find(minter: &MinterArgs, global: &Global) -> Result<Option<Self>, Failure> {
        let node = match Config::load(global.config.as_deref()) {
            Ok(config) => match AdminClient::open(&config, &minter.passphrase) {
                Ok(client) => Self::ask(client)?,
                Err(why) => {
                    if config.admin.listen.map(reachable).is_some_and(is_there) {
                        output::remark(&unasked(&why));
                        return Ok(None);
                    }
                    None
                }
            },
            Err(_) => None,
        };
        if node.is_none() {
            output::remark(&format!("No node is in reach: {UNCHECKED}."));
        }
        Ok(node)
    }

    /// Asks the node for its users; `None` if it is not in reach.
    fn ask(client: AdminClient) -> Result<Option<Self>, ClientError> {
        match OrderCheck::ask(&client, Permissions::Unknown) {
            Ok(check) => Ok(Some(Self { client, check })),
            Err(ClientError::Unreachable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks what a click on the link would do, and tells the node of it. Returns
    /// what people should know.
    fn take(&self, minted: &Minted) -> Result<Option<String>, Failure> {
        let user = &minted.claims.user;
        let forecast = self.client.inspect(minted.token.as_str())?;
        if forecast.would == Would::Refuse {
            if !self.check.may_know(user) {
                return Err(Dead::UnknownUser(user.clone()).into());
            }
            return Err(Failure::say(
                format!(
                    "the node would refuse the link: {}",
                    forecast.reason.as_deref().unwrap_or("it does not say why")
                ),
                "no link was given; `jeton config check` on the node looks at every profile, and `jeton \
                 mint` makes a link unseen",
            ));
        }
        let recorded = self.client.record(&minted.token, None);
        Ok(recorded.err().map(|error| {
            format!(
                "warning: the node did not record the token: {}\n\
                 hint: the link is good; ListProfileTokens shows it from its first use on",
                Failure::from(error).reason()
            )
        }))
    }
}

/// Tells whether anything answers at `address`.
fn is_there(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, CALL_TIMEOUT).is_ok()
}

/// Says that a node runs and cannot be asked.
fn unasked(why: &Failure) -> String {
    format!(
        "warning: the node of this machine cannot be asked, so {UNCHECKED}: {}\nhint: {}",
        why.reason(),
        why.hint()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::FakeNode;
    use crate::mint::tests::{counting, minter, order};
    use crate::token::{SigningKey, UnixSeconds};

    const USERS: &str = r#"{"users":[{"user":"alice","autologin":true,"profile":true},
                                     {"user":"bob","autologin":false,"profile":true},
                                     {"user":"gone","autologin":true,"profile":false}]}"#;
    const DELIVER: &str = r#"{"would":"deliver","reason":null,"uses_left":1}"#;
    const NO: &str = r#"{"error":{"code":"x","message":"no","hint":"ask"}}"#;

    fn client(node: &FakeNode) -> AdminClient {
        AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]))
    }

    fn minted(user: &str) -> Minted {
        let mut minted =
            minter().mint(&[order(user)], UnixSeconds::new(1_000), counting()).unwrap();
        minted.remove(0)
    }

    #[test]
    fn the_node_is_told_of_the_token() {
        let fake = FakeNode::answering([(200, USERS), (200, DELIVER), (200, "{}")]);
        let node = Node::ask(client(&fake)).unwrap().unwrap();
        let minted = minted("alice");
        assert_eq!(node.take(&minted).unwrap(), None);
        let requests = fake.requests();
        assert_eq!(requests[1].line(), "POST /api/v1/inspect HTTP/1.1");
        assert_eq!(requests[2].line(), "POST /api/v1/records HTTP/1.1");
        assert_eq!(requests[2].body()["token"], minted.token.as_str());
    }

    #[test]
    fn a_link_that_would_be_refused_is_not_given() {
        let refuse = r#"{"would":"refuse","reason":"no such profile"}"#;
        for (user, said) in [
            ("eve", "error: unknown user eve\nhint: "),
            ("bob", "error: the node would refuse the link: no such profile\nhint: "),
        ] {
            let fake = FakeNode::answering([(200, USERS), (200, refuse)]);
            let node = Node::ask(client(&fake)).unwrap().unwrap();
            let refused = node.take(&minted(user)).unwrap_err().to_string();
            assert!(refused.starts_with(said), "{refused}");
        }
    }

    #[test]
    fn a_link_that_is_not_recorded_is_given_with_a_warning() {
        let fake = FakeNode::answering([(200, USERS), (200, DELIVER), (503, NO)]);
        let node = Node::ask(client(&fake)).unwrap().unwrap();
        let minted = minted("alice");
        let warning = node.take(&minted).unwrap().unwrap();
        assert!(warning.starts_with("warning: the node did not record the token: no\nhint: "));
        assert!(!warning.contains(minted.token.as_str()));
    }

    #[test]
    fn a_node_that_runs_is_not_taken_for_one_out_of_reach() {
        assert!(!is_there(FakeNode::unused_address()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(is_there(listener.local_addr().unwrap()));
        let said = unasked(&Failure::say("there is no key", "make one"));
        assert!(said.ends_with("its first use: there is no key\nhint: make one"), "{said}");
        assert!(!said.contains("in reach"), "{said}");
    }

    #[test]
    fn a_node_out_of_reach_is_no_failure_but_a_refusal_is() {
        let client_of = |address| AdminClient::new(address, SigningKey::from_seed(&[9; 32]));
        assert!(Node::ask(client_of(FakeNode::unused_address())).unwrap().is_none());
        let fake = FakeNode::answering([(403, NO)]);
        assert!(Node::ask(client(&fake)).is_err());
    }
}
