//! The responses of failed requests, for the API document: the statuses of each group of requests.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::api::error::ErrorBody;

const REQUEST: (&str, &str) = ("400", "The request is invalid; the message names the field");
const TOKEN: (&str, &str) = ("401", "There is no admin token, or it is not accepted");
const ROLE: (&str, &str) = ("403", "The role of the admin token may not do this");
const TOO_LARGE: (&str, &str) = ("413", "The body has more than 16 KiB");
const CONTENT_TYPE: (&str, &str) = ("415", "The content type is not application/json");
const PROFILES: (&str, &str) = ("500", "The profiles cannot be read");
const LEDGER: (&str, &str) = ("503", "The ledger cannot answer now");

/// The failures of a request that needs an admin token.
const READ: [(&str, &str); 3] = [REQUEST, TOKEN, LEDGER];

/// The failures of one that also has a body.
const BODY: [(&str, &str); 6] = [REQUEST, TOKEN, ROLE, TOO_LARGE, CONTENT_TYPE, LEDGER];

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $base:expr, $($more:expr),*;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                $base.into_iter().chain([$($more),*]).map(response).collect()
            }
        }
    )*};
}

errors! {
    /// The failures of a request that reads the ledger.
    ReadErrors = READ,;
    /// The failures of a request that reads the users.
    UserErrors = READ, PROFILES;
    /// The failures of a request with a body.
    BodyErrors = BODY, ("404", "There is nothing at this path");
    /// The failures of a permission.
    PermitErrors = BODY,
        ("404", "There is nothing at this path"),
        ("409", "The name has characters that change how text is displayed; it can only be denied");
    /// The failures of a revocation.
    RevokeErrors = BODY, ("409", "This key signed the admin token of the request");
    /// The failures of a record.
    RecordErrors = BODY,
        ("404", "This is not a profile token of a key that this node trusts"),
        ("409", "The token is expired, or older than this ledger");
    /// The failures of a change of the cluster.
    ChangeErrors = BODY, ("409", "The members or their roles do not allow it");
    /// The failures of minting.
    MintErrors = BODY,
        ("403", "The role of the admin token may not do this, or the user may not have autologin"),
        ("404", "There is no profile to deliver"),
        ("409", "This node does not mint, or the token would give no profile"),
        ("500", "The profiles cannot be read, or the clock of the node is wrong"),
        ("503", "The ledger cannot answer now, or the node has no randomness");
}

fn response((status, description): (&str, &str)) -> (String, RefOr<Response>) {
    let body = Ref::from_schema_name(ErrorBody::name());
    let content = ContentBuilder::new().schema(Some(body)).build();
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build();
    (status.to_owned(), RefOr::T(response))
}
