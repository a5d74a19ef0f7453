//! (merged later)
use crate::token::{KeyId, TrustedKey, TrustedKeys};
/// Keys.
#[derive(Debug)]
pub struct Keyring(Vec<TrustedKey>);
impl Keyring {
    /// x
    pub fn new(
        keys: impl IntoIterator<Item = (std::path::PathBuf, TrustedKey)>,
    ) -> Result<Self, ()> {
        Ok(Self(keys.into_iter().map(|k| k.1).collect()))
    }
}
impl TrustedKeys for Keyring {
    fn find(&self, id: KeyId) -> Option<&TrustedKey> {
        self.0.iter().find(|k| k.key.id() == id)
    }
}
