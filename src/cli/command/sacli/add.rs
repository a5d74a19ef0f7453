//! `AddProfileToken`: makes a link. A node in reach is asked whether the link will
//! do what it should, and told of it; without one it is minted all the same.

use std::collections::BTreeSet;

use crate::cli::client::{AdminClient, ClientError, Would};
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::minting::MinterArgs;
use crate::cli::minting::permission::{PermissionArgs, Permissions};
use crate::cli::terminal::output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::mint::{Minted, Order};
use crate::random;
use crate::token::{ProfileKind, UserName};

/// A node in reach, and what it says of its users.
struct Node {
    client: AdminClient,
    /// Those with a profile.
    known: BTreeSet<UserName>,
    /// Those who may have autologin, and no others.
    permissions: Permissions,
}

/// Mints, and shows the link in Access Server's words.
pub(super) fn run(
    order: Order,
    minter: &MinterArgs,
    permission: &PermissionArgs,
    global: &Global,
) -> Result<(), Failure> {
    let node = Node::find(minter, global)?;
    match &node {
        Some(node) => node.check(&order)?,
        None => permission.read()?.check(&order)?,
    }
    for minted in minter.open(global)?.mint(&[order], SystemClock.now(), random::fill)? {
        let remark = match &node {
            Some(node) => node.take(&minted)?,
            None => Some(
                "No node is in reach: ListProfileTokens shows the link from its first use on."
                    .to_owned(),
            ),
        };
        output::show(&format!("Added token, import URL {}\n", minted.links.import))?;
        if let Some(remark) = remark {
            output::remark(&remark);
        }
    }
    Ok(())
}

impl Node {
    /// Finds the node of this machine. A machine that only mints has no config, no
    /// admin key or no node, and does without.
    fn find(minter: &MinterArgs, global: &Global) -> Result<Option<Self>, Failure> {
        let Ok(config) = Config::load(global.config.as_deref()) else {
            return Ok(None);
        };
        let Ok(client) = AdminClient::open(&config, &minter.passphrase) else {
            return Ok(None);
        };
        Ok(Self::ask(client)?)
    }

    /// Asks the node for its users; `None` if it is not in reach.
    fn ask(client: AdminClient) -> Result<Option<Self>, ClientError> {
        let users = match client.users() {
            Ok(users) => users,
            Err(ClientError::Unreachable { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let allowed = users.iter().filter(|user| user.autologin).map(|user| user.user.clone());
        let permissions = Permissions::Listed(allowed.collect());
        let known = users.into_iter().filter(|user| user.profile).map(|user| user.user);
        Ok(Some(Self { known: known.collect(), permissions, client }))
    }

    /// Lets an order pass that can come to something.
    fn check(&self, order: &Order) -> Result<(), Failure> {
        // A server-locked profile may be for a user without a certificate, whom no
        // list of profiles names; `take` learns more of it.
        if order.kind != ProfileKind::ServerLocked && !self.known.contains(&order.user) {
            return Err(unknown_user(&order.user));
        }
        Ok(self.permissions.check(order)?)
    }

    /// Asks what a click on the link would do, and tells the node of it. Returns
    /// what people should know.
    fn take(&self, minted: &Minted) -> Result<Option<String>, Failure> {
        let user = &minted.claims.user;
        let forecast = self.client.inspect(minted.token.as_str())?;
        if forecast.would == Would::Refuse {
            if !self.known.contains(user) {
                return Err(unknown_user(user));
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

fn unknown_user(user: &UserName) -> Failure {
    Failure::say(
        format!("unknown user {user}"),
        "`jeton user list` shows the users that have a profile",
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
    fn the_node_says_who_there_is_and_who_may_have_autologin() {
        let fake = FakeNode::answering([(200, USERS)]);
        let node = Node::ask(client(&fake)).unwrap().unwrap();
        let check = |kind, user| match node.check(&Order { kind, ..order(user) }) {
            Ok(()) => "fine".to_owned(),
            Err(failure) => failure.reason().to_owned(),
        };
        assert_eq!(check(ProfileKind::Autologin, "alice"), "fine");
        assert_eq!(check(ProfileKind::UserLocked, "bob"), "fine");
        assert_eq!(check(ProfileKind::Autologin, "bob"), "need autologin");
        assert_eq!(check(ProfileKind::UserLocked, "eve"), "unknown user eve");
        assert_eq!(check(ProfileKind::Autologin, "eve"), "unknown user eve");
        assert_eq!(check(ProfileKind::UserLocked, "gone"), "unknown user gone");
        assert_eq!(check(ProfileKind::ServerLocked, "eve"), "fine");
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
    fn a_node_out_of_reach_is_no_failure_but_a_refusal_is() {
        let client_of = |address| AdminClient::new(address, SigningKey::from_seed(&[9; 32]));
        assert!(Node::ask(client_of(FakeNode::nobody())).unwrap().is_none());
        let fake = FakeNode::answering([(403, NO)]);
        assert!(Node::ask(client(&fake)).is_err());
    }
}
