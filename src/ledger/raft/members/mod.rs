//! Changes of the membership: [`Changes`] makes them on the leader.

mod changes;

pub(crate) use changes::Changes;
