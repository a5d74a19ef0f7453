//! `--record`: the node on this machine is told of what was minted here, so that
//! lists show a link before its first use.

use indicatif::ProgressBar;

use super::order_check::OrderCheck;
use super::permission::Permissions;
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::failure::Failure;
use crate::ledger::Note;
use crate::mint::Minted;
use crate::signing::passphrase::PassphraseArgs;

/// Whether a node is told of what is minted.
#[derive(clap::Args)]
pub(crate) struct RecordArgs {
    /// Tell the node on this machine, so that `jeton list` shows the links before
    /// their first use
    #[arg(long)]
    record: bool,

    /// What `jeton list` shows beside each of the links, for instance what they
    /// are for
    #[arg(long, value_name = "TEXT", requires = "record")]
    note: Option<Note>,
}

/// A node that waits to be told.
pub(crate) struct Recorder {
    node: AdminClient,
    note: Option<Note>,
}

impl RecordArgs {
    /// Finds the key for the node, if the node is to be told.
    pub(crate) fn open(
        &self,
        passphrase: &PassphraseArgs,
        global: &Global,
    ) -> Result<Option<Recorder>, Failure> {
        if !self.record {
            return Ok(None);
        }
        let node = AdminClient::open(&global.load()?, passphrase)?;
        Ok(Some(Recorder { node, note: self.note.clone() }))
    }
}

impl Recorder {
    /// Asks the node for its users: before anything is minted, so that a node out
    /// of reach leaves nothing half done.
    pub(crate) fn ask(&self, said: Permissions) -> Result<OrderCheck, Failure> {
        Ok(OrderCheck::ask(&self.node, said)?)
    }

    /// Tells the node of each token, up to the first that it does not take.
    pub(crate) fn tell(&self, minted: &[Minted], bar: &ProgressBar) -> Result<(), Failure> {
        for (recorded, one) in minted.iter().enumerate() {
            if let Err(error) = self.node.record(&one.token, self.note.as_ref()) {
                let batch = one.claims.nonce.batch();
                return Err(Failure::say(
                    format!(
                        "the node recorded {recorded} of {} tokens: {}",
                        minted.len(),
                        Failure::from(error).reason()
                    ),
                    format!(
                        "all links above are minted; the others are listed from their first use \
                         on. To take all back: jeton revoke --batch {batch}"
                    ),
                ));
            }
            bar.inc(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::fake_node::FakeNode;
    use crate::mint::tests::{counting, minter, order};
    use crate::token::{SigningKey, UnixSeconds};

    fn minted() -> Vec<Minted> {
        let orders = [order("alice"), order("bob"), order("carol")];
        minter().mint(&orders, UnixSeconds::new(1_000), counting()).unwrap()
    }

    fn recorder(node: &FakeNode) -> Recorder {
        let node = AdminClient::new(node.address(), SigningKey::from_seed(&[9; 32]));
        Recorder { node, note: Some("a sheet".parse().unwrap()) }
    }

    #[test]
    fn the_node_is_told_of_every_token() {
        let node = FakeNode::answering([(200, "{}"), (200, "{}"), (200, "{}")]);
        let minted = minted();
        recorder(&node).tell(&minted, &ProgressBar::hidden()).unwrap();
        for (request, minted) in node.requests().iter().zip(&minted) {
            assert_eq!(request.body()["token"], minted.token.as_str());
            assert_eq!(request.body()["note"], "a sheet");
        }
    }

    #[test]
    fn what_was_not_recorded_is_told_and_no_token_with_it() {
        let no = r#"{"error":{"code":"x","message":"the ledger is not ready","hint":"wait"}}"#;
        let node = FakeNode::answering([(200, "{}"), (503, no)]);
        let minted = minted();
        let said = recorder(&node).tell(&minted, &ProgressBar::hidden()).unwrap_err().to_string();
        assert!(
            said.starts_with(
                "error: the node recorded 1 of 3 tokens: the ledger is not ready\nhint: all links"
            ),
            "{said}"
        );
        assert!(said.ends_with("jeton revoke --batch 01010101"), "{said}");
        assert!(!said.contains(minted[1].token.as_str()));
        assert_eq!(node.requests().len(), 2);
    }
}
