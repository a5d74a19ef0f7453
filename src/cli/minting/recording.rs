//! `--record`: records minted tokens at the node on this machine.

use indicatif::ProgressBar;

use super::order_check::OrderCheck;
use super::permission::Permissions;
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::failure::Failure;
use crate::ledger::Note;
use crate::mint::Minted;
use crate::signing::passphrase::PassphraseArgs;

#[derive(clap::Args)]
pub(crate) struct RecordArgs {
    /// Record the links at the node on this machine, so that `jeton list` lists them before their
    /// first use
    #[arg(long)]
    record: bool,

    /// Note that `jeton list` shows with each of the links, such as their purpose
    #[arg(long, value_name = "TEXT", requires = "record")]
    note: Option<Note>,
}

pub(crate) struct Recorder {
    node: AdminClient,
    note: Option<Note>,
}

impl RecordArgs {
    /// Returns the node's client, with its key, if the tokens are to be recorded.
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
    /// Asks the node for its users. Call this before minting, so that nothing is minted if the node
    /// is unreachable.
    pub(crate) fn ask(&self, given: Permissions) -> Result<OrderCheck, Failure> {
        Ok(OrderCheck::ask(&self.node, given)?)
    }

    /// Records each token, and stops at the first error.
    pub(crate) fn record(&self, minted: &[Minted], bar: &ProgressBar) -> Result<(), Failure> {
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
                        "all links above work; `jeton list` lists the unrecorded ones from their \
                         first use on. To revoke all: jeton revoke --batch {batch}"
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
    use crate::token::UnixSeconds;

    fn minted() -> Vec<Minted> {
        let orders = [order("alice"), order("bob"), order("carol")];
        minter().mint(&orders, UnixSeconds::new(1_000), counting()).unwrap()
    }

    fn recorder(node: &FakeNode) -> Recorder {
        Recorder { node: node.client(), note: Some("a sheet".parse().unwrap()) }
    }

    #[test]
    fn records_every_token() {
        let node = FakeNode::answering([(200, "{}"), (200, "{}"), (200, "{}")]);
        let minted = minted();
        recorder(&node).record(&minted, &ProgressBar::hidden()).unwrap();
        for (request, minted) in node.requests().iter().zip(&minted) {
            assert_eq!(request.body()["token"], minted.token.as_str());
            assert_eq!(request.body()["note"], "a sheet");
        }
    }

    #[test]
    fn the_error_counts_what_was_recorded_and_shows_no_token() {
        let no = r#"{"error":{"code":"x","message":"the ledger is not ready","hint":"wait"}}"#;
        let node = FakeNode::answering([(200, "{}"), (503, no)]);
        let minted = minted();
        let failure = recorder(&node).record(&minted, &ProgressBar::hidden()).unwrap_err();
        let message = failure.to_string();
        assert!(
            message.starts_with(
                "error: the node recorded 1 of 3 tokens: the ledger is not ready\nhint: all links"
            ),
            "{message}"
        );
        assert!(message.ends_with("jeton revoke --batch 01010101"), "{message}");
        assert!(!message.contains(minted[1].token.as_str()));
        assert_eq!(node.requests().len(), 2);
    }
}
