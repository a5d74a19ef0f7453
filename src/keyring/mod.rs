//! (merged later)
use crate::token::*;
/// Keys.
#[derive(Debug)]
pub struct Keyring(Vec<TrustedKey>);
impl TrustedKeys for Keyring {
    fn find(&self, id: KeyId) -> Option<&TrustedKey> {
        self.0.iter().find(|k| k.key.id() == id)
    }
}
