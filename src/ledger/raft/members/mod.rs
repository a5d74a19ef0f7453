//! Changes of the membership, as the leader carries them out.

mod changes;

pub(crate) use changes::Changes;
