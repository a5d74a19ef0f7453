//! The format of small files in the ledger's directory: a first line that names the content, and a
//! checksum.
//!
//! ```text
//! file = first line | crc32 u32, little-endian, of the rest | postcard of a value
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encodes a file that begins with `first_line`.
///
/// # Errors
///
/// Any of postcard.
pub(crate) fn encode(
    first_line: &[u8],
    value: &impl Serialize,
) -> Result<Vec<u8>, postcard::Error> {
    let body = postcard::to_stdvec(value)?;
    let crc = crc32fast::hash(&body).to_le_bytes();
    Ok([first_line, &crc, &body].concat())
}

/// Decodes such a file. Returns `None` if it is damaged or begins with another line.
pub(crate) fn decode<T: DeserializeOwned>(first_line: &[u8], bytes: &[u8]) -> Option<T> {
    let (crc, body) = bytes.strip_prefix(first_line)?.split_first_chunk()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    postcard::from_bytes(body).ok()
}
