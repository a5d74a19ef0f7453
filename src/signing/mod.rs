//! Private keys on a command line: where they lie, which one is meant, and how it
//! is unlocked.
//!
//! [`key_files`] and [`signing_key`] are the two seams to [`crate::keyring`]: the
//! files, and the key that signs. [`passphrase`] asks for what unlocks it.

pub(crate) mod key_files;
pub(crate) mod passphrase;
pub(crate) mod signing_key;
