//! What a request says in percent-encoding is read by [`crate::percent`].

pub(super) use crate::percent::{Plus, decode};
