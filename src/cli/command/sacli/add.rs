//! `AddProfileToken`: mints a link. A reachable node checks the link and records it. Without one,
//! the link is minted anyway.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::api::inspection::Would;
use crate::cli::client::reachable::reachable;
use crate::cli::client::{AdminClient, ClientError};
use crate::cli::global::Global;
use crate::cli::minting::MinterArgs;
use crate::cli::minting::order_check::{OrderCheck, OrderError};
use crate::cli::minting::permission::{PermissionArgs, Permissions};
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::failure::Failure;
use crate::mint::{Minted, Order};
use crate::random;

/// The time limit for a connection that only tests whether a node listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What is missing if no node is asked.
const UNCHECKED: &str = "user and permission are not checked, and ListProfileTokens does not list \
                         the link before its first use";

/// A reachable node and its list of users.
struct ReachableNode {
    client: AdminClient,
    check: OrderCheck,
}

/// Mints, and prints the link in Access Server's words.
pub(super) fn run(
    order: &Order,
    minter: &MinterArgs,
    permission: &PermissionArgs,
    global: &Global,
) -> Result<(), Failure> {
    let node = ReachableNode::find(minter, global)?;
    match &node {
        Some(node) => node.check.check(order)?,
        None => OrderCheck::offline(permission.read()?).check(order)?,
    }
    let minted = minter.open(global)?.mint_one(order, SystemClock.now(), random::fill)?;
    let remark = match &node {
        Some(node) => node.check_and_record(&minted)?,
        None => None,
    };
    output::show(&format!("Added token, import URL {}\n", minted.links.import))?;
    if let Some(remark) = remark {
        output::remark(&remark);
    }
    Ok(())
}

impl ReachableNode {
    /// Finds the node on this machine. A machine that only mints may have no configuration, admin
    /// key or node; then a remark says what is not checked.
    fn find(minter: &MinterArgs, global: &Global) -> Result<Option<Self>, Failure> {
        let node = match Config::load(global.config.as_deref()) {
            Ok(config) => match AdminClient::open(&config, &minter.passphrase) {
                Ok(client) => Self::ask(client)?,
                Err(failure) => {
                    if config.admin.listen.map(reachable).is_some_and(is_listening) {
                        output::remark(&cannot_ask(&failure));
                        return Ok(None);
                    }
                    None
                }
            },
            Err(_) => None,
        };
        if node.is_none() {
            output::remark(&format!("No node is reachable: {UNCHECKED}."));
        }
        Ok(node)
    }

    /// Asks the node for its users; returns `None` if it is unreachable.
    fn ask(client: AdminClient) -> Result<Option<Self>, ClientError> {
        match OrderCheck::ask(&client, Permissions::Unknown) {
            Ok(check) => Ok(Some(Self { client, check })),
            Err(ClientError::Unreachable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Rejects a link that the node would refuse, and records the others. Returns a warning if the
    /// node did not record the link.
    fn check_and_record(&self, minted: &Minted) -> Result<Option<String>, Failure> {
        let user = &minted.claims.user;
        let forecast = self.client.inspect(minted.token.as_str())?;
        if forecast.would == Would::Refuse {
            if !self.check.may_have_profile(user) {
                return Err(OrderError::UnknownUser(user.clone()).into());
            }
            return Err(Failure::say(
                format!(
                    "the node would refuse the link: {}",
                    forecast.reason.as_deref().unwrap_or("it gave no reason")
                ),
                "no link was shown; `jeton config check` on the node checks every profile, and `jeton \
                 mint` mints without this check",
            ));
        }
        let recorded = self.client.record(&minted.token, None);
        Ok(recorded.err().map(|error| {
            format!(
                "warning: the node did not record the token: {}\n\
                 hint: the link works; ListProfileTokens lists it from its first use on",
                Failure::from(error).reason()
            )
        }))
    }
}

fn is_listening(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
}

fn cannot_ask(failure: &Failure) -> String {
    format!(
        "warning: cannot sign in to the node on this machine, so {UNCHECKED}: {}\nhint: {}",
        failure.reason(),
        failure.hint()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::{FakeNode, USERS, client_of};
    use crate::mint::tests::{counting, minter, order};
    use crate::token::UnixSeconds;

    const DELIVER: &str = r#"{"would":"deliver","reason":null,"uses_left":1}"#;
    const NO: &str = r#"{"error":{"code":"x","message":"no","hint":"ask"}}"#;

    fn asked(fake: &FakeNode) -> ReachableNode {
        ReachableNode::ask(fake.client()).unwrap().unwrap()
    }

    fn minted(user: &str) -> Minted {
        let mut minted =
            minter().mint(&[order(user)], UnixSeconds::new(1_000), counting()).unwrap();
        minted.remove(0)
    }

    #[test]
    fn the_node_checks_and_records_the_token() {
        let fake = FakeNode::answering([(200, USERS), (200, DELIVER), (200, "{}")]);
        let node = asked(&fake);
        let minted = minted("alice");
        assert_eq!(node.check_and_record(&minted).unwrap(), None);
        let requests = fake.requests();
        assert_eq!(requests[1].line(), "POST /api/v1/inspect HTTP/1.1");
        assert_eq!(requests[2].line(), "POST /api/v1/records HTTP/1.1");
        assert_eq!(requests[2].body()["token"], minted.token.as_str());
    }

    #[test]
    fn does_not_show_a_link_that_would_be_refused() {
        let refuse = r#"{"would":"refuse","reason":"no such profile"}"#;
        for (user, message) in [
            ("eve", "error: unknown user eve\nhint: "),
            ("bob", "error: the node would refuse the link: no such profile\nhint: "),
        ] {
            let fake = FakeNode::answering([(200, USERS), (200, refuse)]);
            let failure = asked(&fake).check_and_record(&minted(user)).unwrap_err().to_string();
            assert!(failure.starts_with(message), "{failure}");
        }
    }

    #[test]
    fn warns_about_a_link_that_is_not_recorded() {
        let fake = FakeNode::answering([(200, USERS), (200, DELIVER), (503, NO)]);
        let minted = minted("alice");
        let warning = asked(&fake).check_and_record(&minted).unwrap().unwrap();
        assert!(warning.starts_with("warning: the node did not record the token: no\nhint: "));
        assert!(!warning.contains(minted.token.as_str()));
    }

    #[test]
    fn recognizes_a_running_node_that_cannot_be_asked() {
        assert!(!is_listening(FakeNode::unused_address()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(is_listening(listener.local_addr().unwrap()));
        let warning = cannot_ask(&Failure::say("there is no key", "create one"));
        assert!(warning.ends_with("its first use: there is no key\nhint: create one"), "{warning}");
        assert!(!warning.contains("reachable"), "{warning}");
    }

    #[test]
    fn tolerates_an_unreachable_node_and_fails_on_a_refusal() {
        assert!(ReachableNode::ask(client_of(FakeNode::unused_address())).unwrap().is_none());
        let fake = FakeNode::answering([(403, NO)]);
        assert!(ReachableNode::ask(fake.client()).is_err());
    }
}
