//! Private keys for signing tokens: lists their files, chooses one and decrypts it.
//!
//! [`key_files`] lists the files of [`crate::keyring`], [`signing_key`] chooses the key that signs,
//! and [`passphrase`] reads its passphrase.

pub(crate) mod key_files;
pub(crate) mod passphrase;
pub(crate) mod signing_key;
