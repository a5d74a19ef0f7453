//! Small files of the ledger's folder that are whole or not there: what they hold
//! is told from anything else by their first line, and from its damage by a checksum.
//!
//! ```text
//! file = first line | crc32 u32, little-endian, of the rest | postcard of a value
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Makes the bytes of a file that begins with `first_line`.
///
/// # Errors
///
/// What postcard says of a value that it cannot write.
pub(crate) fn encode(
    first_line: &[u8],
    value: &impl Serialize,
) -> Result<Vec<u8>, postcard::Error> {
    let body = postcard::to_stdvec(value)?;
    let crc = crc32fast::hash(&body).to_le_bytes();
    Ok([first_line, &crc, &body].concat())
}

/// Reads what [`encode`] made; `None` if it is damaged, or no such file.
pub(crate) fn decode<T: DeserializeOwned>(first_line: &[u8], bytes: &[u8]) -> Option<T> {
    let (crc, body) = bytes.strip_prefix(first_line)?.split_first_chunk()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    postcard::from_bytes(body).ok()
}
