//! The links that carry one token.

use crate::token::Token;
use crate::token::url::PublicUrl;

/// The links of one token. Each of them is as good as the token, so there is no
/// `Debug`.
pub(crate) struct Links {
    /// What OpenVPN Connect imports, as Access Server prints it.
    pub import: String,
    /// What clients and scripts fetch.
    pub download: String,
    /// The page for people.
    pub share: String,
    /// What a QR code holds: an import link without a query, because Apple's
    /// systems are reported to strip one.
    pub scan: String,
}

impl Links {
    /// Makes the links of `token` at `public_url`.
    pub(crate) fn of(public_url: &PublicUrl, token: &Token) -> Self {
        Self {
            import: public_url.import(token),
            download: public_url.download(token),
            share: public_url.share(token),
            scan: public_url.import_by_path(token),
        }
    }
}
