//! openraft's log storage: votes and entries become records of [`ledger::log`](crate::ledger::log),
//! acknowledged once they are durable.

use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::ledger::log::{Record, Writer};
use crate::ledger::raft::types::{LogId, RaftEntry, TypeConfig, Vote};

/// The log for openraft. Clones share it.
///
/// The commit index is not stored: after a restart, the log is applied again once a majority has
/// confirmed it, and nothing is read before (see `RaftLedger::open`).
#[derive(Clone, Debug)]
pub(crate) struct LogStore(Arc<Writer>);

impl LogStore {
    pub(crate) const fn new(writer: Arc<Writer>) -> Self {
        Self(writer)
    }

    /// Writes records and returns once they are durable.
    async fn write(&self, records: Vec<Record>) -> io::Result<()> {
        let (done, durable) = oneshot::channel();
        self.submit(records, move |result| {
            // The receiver is gone if the engine is stopping.
            let _ = done.send(result);
        });
        durable.await.map_err(io::Error::other)?
    }

    fn submit(&self, records: Vec<Record>, done: impl FnOnce(io::Result<()>) + Send + 'static) {
        self.0.submit(records, Box::new(move |result| done(result.map_err(io::Error::other))));
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<RaftEntry>, io::Error> {
        // Cloned, then decoded: submissions wait while the state is locked.
        let bytes: Vec<_> = self.0.state().entries().range(range).map(|(_, e)| e.clone()).collect();
        bytes.iter().map(|bytes| decode(bytes)).collect()
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        let vote = self.0.state().head().vote.clone();
        vote.map(|bytes| decode(&bytes)).transpose()
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.0.state();
        let purged = state.head().purged.as_ref();
        let last_purged_log_id = purged.map(|(_, bytes)| decode::<LogId>(bytes)).transpose()?;
        let last = state.entries().last_key_value();
        let last = last.map(|(_, bytes)| decode::<RaftEntry>(bytes)).transpose()?;
        let last_log_id = last.map(|entry| entry.log_id).or(last_purged_log_id);
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.write(vec![Record::Vote(encode(vote)?)]).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records: io::Result<_> = entries
            .into_iter()
            .map(|entry| Ok(Record::Entry { index: entry.log_id.index(), bytes: encode(&entry)? }))
            .collect();
        self.submit(records?, move |result| callback.io_completed(result));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.write(vec![Record::TruncateAfter(last.map(|last| last.index()))]).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.write(vec![Record::Purge { index: upto.index(), bytes: encode(&upto)? }]).await
    }
}

fn encode(value: &impl Serialize) -> io::Result<Arc<[u8]>> {
    postcard::to_stdvec(value).map(Arc::from).map_err(io::Error::other)
}

/// Decodes a value from the log. The checksums matched, so a failure is a bug in this version of
/// the program or in another one.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(io::Error::other)
}
